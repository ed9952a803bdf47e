#include <algorithm>
#include <utility>

#include "base/index.h"
#include "sparse/execution.h"
#include "sparse/tile_convolve.h"

namespace gcg::sparse {

namespace {

/// Which weights' gradients a layer's kernels compute.
Weights computed(const SparseLayer& layer, bool all) {
  return all || layer.runs_all ? Weights::all : Weights::present;
}

NormBackward norm_tensors(Execution& execution, const Instruction& instruction,
                          std::int64_t thread) {
  NormBackward tensors;
  tensors.input = execution.value(instruction.input, thread);
  tensors.output = execution.value(instruction.output, thread);
  tensors.gradient = execution.gradient(instruction.output, thread);
  tensors.addition = instruction.other >= 0;
  tensors.relu = instruction.relu;
  tensors.to_other = instruction.to_other;
  if (instruction.to_other != Contribution::none) {
    tensors.other_gradient = execution.gradient(instruction.other, thread);
  }
  tensors.to_input = instruction.to_input;
  if (instruction.to_input != Contribution::none) {
    tensors.input_gradient = execution.gradient(instruction.input, thread);
  }
  return tensors;
}

void differentiate_add(Execution& execution, const Run& run, Blocks part,
                       const Instruction& instruction, std::int64_t thread) {
  const View own = execution.gradient(instruction.output, thread);
  for (const auto& [input, contribution] : {std::pair(instruction.other, instruction.to_other),
                                            std::pair(instruction.input, instruction.to_input)}) {
    if (contribution == Contribution::write) {
      copy(run, part, own, execution.gradient(input, thread));
    } else if (contribution == Contribution::accumulate) {
      const View to = execution.gradient(input, thread);
      add(run, part, to, own, to);
    }
  }
}

/// Rows of the output's gradient, from the first one on, that a stripe of the input's is made of.
std::int64_t rows_read_back(const Node& node, Stripe stripe) {
  if (node.operation != Operation::convolution) {
    return node.shape.height;
  }
  return std::max(stripe.bottom,
                  (stripe.bottom - 1 + node.window.padding) / node.window.stride + 1);
}

void differentiate_attention(Execution& execution, const Run& run, Blocks part,
                             const Instruction& instruction, std::int64_t thread) {
  const Node& node = execution.network.nodes[at(instruction.node)];
  const std::int64_t tokens = node.shape.height;
  const auto value = [&](std::int32_t of) {
    return single(execution, run, {of, false}, part, tokens, thread);
  };
  const View own = single(execution, run, {instruction.output, true}, part, tokens, thread);
  // In single precision; of one that is kept in bf16 in a room of its own.
  ThreadRoom& room = execution.rooms[at(thread)];
  const auto target_of = [&](std::int32_t to, Contribution contribution, std::size_t which) {
    const View kept = execution.gradient(to, thread);
    const View made =
        kept.bf16 ? View{kept.layout, room.attended[which].data()->lanes.data(), true} : kept;
    if (kept.bf16 || contribution == Contribution::write) {
      clear(part, made);
    }
    return made;
  };
  const View third = target_of(instruction.third, instruction.to_third, 2);
  const View other = target_of(instruction.other, instruction.to_other, 1);
  const View first = target_of(instruction.input, instruction.to_input, 0);
  attention_backward(run, part, node.heads,
                     {value(instruction.input), value(instruction.other), value(instruction.third)},
                     own, room.scores, {first, other, third});
  const auto keep_in = [&](std::int32_t to, Contribution contribution, const View& made) {
    keep(run, part, all_rows(made.layout), made, contribution != Contribution::write,
         execution.gradient(to, thread));
  };
  keep_in(instruction.third, instruction.to_third, third);
  keep_in(instruction.other, instruction.to_other, other);
  keep_in(instruction.input, instruction.to_input, first);
}

/// Beside the gradient of its input, that of the position table, by group of blocks.
void differentiate_tokens(Execution& execution, const Run& run, Blocks part,
                          const Instruction& instruction, std::int64_t thread, std::int64_t group) {
  const std::int64_t tokens = execution.network.nodes[at(instruction.node)].shape.height;
  const View own = single(execution, run, {instruction.output, true}, part, tokens, thread);
  position_gradient(run, part, own, execution.position_sums[at(group)]);
}

/// Leaves the gradients of scale and shift in the sums of the block, by channel.
void differentiate_layer_norm(Execution& execution, const Run& run, Blocks part, Stripe stripe,
                              Norm& norm, const View& input, const View& own, bool accumulate,
                              const View& to, std::int64_t thread) {
  const std::int64_t channels = input.layout.shape.channels;
  const std::span<Position> sums =
      std::span(execution.rooms[at(thread)].lanes).first(at(2 * channels));
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    std::ranges::fill(sums, Position{});
    layer_norm_backward(run, {b, b + 1}, stripe, norm.layer_state(), input, own, accumulate, to,
                        sums);
    for (std::int64_t c = 0; c < channels; ++c) {
      GradientSums& total = norm.sums[at(b * channels + c)];
      total = {};
      for (std::size_t lane = 0; lane < at(kLanes); ++lane) {
        total.gradient += static_cast<double>(sums[at(2 * c)].lanes[lane]);
        total.centred += static_cast<double>(sums[at(2 * c + 1)].lanes[lane]);
      }
    }
  }
}

/// Sums that a layer has in a segment.
std::int64_t sum_count(const SparseLayer& layer, bool all) {
  return layer.runs_tiles() ? tile_sum_count(layer.place.layer)
                            : weight_count(layer, computed(layer, all));
}

/// The gradient of an instruction's first input, for all but normalisations of the batch, additions
/// and attention.
void differentiate_input(Execution& execution, const Run& run, Blocks part, Stripe stripe,
                         const Instruction& instruction, std::int64_t thread) {
  const Node& node = execution.network.nodes[at(instruction.node)];
  const View kept = execution.gradient(instruction.input, thread);
  const View to = target(execution, kept, stripe, thread);
  const bool adds = instruction.to_input == Contribution::accumulate;
  if (node.layer >= 0 && execution.layers[at(node.layer)].runs_tiles()) {
    input_gradient_tiles(run, *execution.tiles.kernels, part.begin, stripe,
                         execution.layers[at(node.layer)],
                         execution.gradient(instruction.output, thread), to);
    keep(run, part, stripe, to, adds, kept);
    return;
  }
  const View own = single(execution, run, {instruction.output, true}, part,
                          rows_read_back(node, stripe), thread);
  const bool accumulate = adds && !kept.bf16;
  const auto all_of = [&](std::int32_t value) {
    const std::int64_t height = execution.plan.layouts[at(value)].shape.height;
    return single(execution, run, {value, false}, part, height, thread);
  };
  switch (node.operation) {
    case Operation::input:
    case Operation::batch_norm:
    case Operation::add:
    case Operation::attention:
      break;
    case Operation::convolution:
    case Operation::linear:
      convolve_input_gradient(run, part, stripe, execution.layers[at(node.layer)],
                              execution.by_input_of[at(node.layer)], own, accumulate, to);
      break;
    case Operation::relu:
      relu_backward(run, part, all_of(instruction.output), own, accumulate, to);
      break;
    case Operation::max_pool:
      max_pool_backward(run, part, node.window, all_of(instruction.input), own, accumulate, to);
      break;
    case Operation::average_pool:
      average_pool_backward(run, part, node.window, own, accumulate, to);
      break;
    case Operation::global_average_pool:
      average_pool_backward(run, part, whole(to.layout.shape), own, accumulate, to);
      break;
    case Operation::flatten:
      flatten_backward(run, part, own, accumulate, to);
      break;
    case Operation::layer_norm:
      differentiate_layer_norm(execution, run, part, stripe, execution.norms[at(node.norm)],
                               all_of(instruction.input), own, accumulate, to, thread);
      break;
    case Operation::gelu:
      gelu_backward(run, part, stripe, all_of(instruction.input), own, accumulate, to);
      break;
    case Operation::drop_path:
      scale_samples(part, stripe, execution.factors_of(node, run), own, accumulate, to);
      break;
    case Operation::tokens:
      make_tokens_backward(run, part, own, accumulate, to);
      break;
    case Operation::first_token:
      first_token_backward(run, part, own, accumulate, to);
      break;
  }
  keep(run, part, stripe, to, adds, kept);
}

/// A backward pass under way.
struct Pass {
  Execution& execution;
  const Run& run;
  std::vector<std::vector<float>>* all;

  const Instruction& of(const Step& step) const {
    return execution.plan.instructions[at(step.instruction)];
  }
  std::size_t layer_of(const Step& step) const {
    return at(execution.network.nodes[at(of(step).node)].layer);
  }
};

/// Gives the layers of a segment their places in the partial sums.
void make_room(Pass& pass, const Segment& segment) {
  std::int64_t size = 0;
  for (const Step& step : segment.steps) {
    if (step.part == Part::weights) {
      const std::size_t l = pass.layer_of(step);
      const SparseLayer& layer = pass.execution.layers[l];
      pass.execution.place[l] = size;
      size += sum_count(layer, pass.all != nullptr);
      size += std::ssize(layer.bias.value);
    }
  }
  std::vector<std::vector<float>>& partial = pass.execution.partial;
  partial.resize(std::max(partial.size(), at(group_count(pass.run))));
  for (std::vector<float>& sums : partial) {
    sums.resize(std::max(sums.size(), at(size)));
  }
}

/// The weights of a segment's layers in the order of their inputs: once for all blocks, so that no
/// kernel looks each of them up.
void order_by_input(Pass& pass, const Segment& segment) {
  Execution& execution = pass.execution;
  const auto for_each_layer = [&](auto f) {
    for (const Step& step : segment.steps) {
      if (step.part == Part::backward &&
          execution.network.nodes[at(pass.of(step).node)].layer >= 0) {
        f(pass.layer_of(step));
      }
    }
  };
  std::size_t size = 0;
  for_each_layer([&](std::size_t l) { size += execution.layers[l].by_input_count(); });
  execution.by_input.resize(std::max(execution.by_input.size(), size));
  std::span<float> room(execution.by_input);
  for_each_layer([&](std::size_t l) {
    const std::size_t count = execution.layers[l].by_input_count();
    execution.layers[l].order_by_input(room.first(count));
    execution.by_input_of[l] = room.first(count);
    room = room.subspan(count);
  });
}

void differentiate(Pass& pass, Blocks part, const StripeOf& stripe, const Step& step,
                   std::int64_t thread, std::int64_t group) {
  Execution& execution = pass.execution;
  const Instruction& instruction = pass.of(step);
  const Node& node = execution.network.nodes[at(instruction.node)];
  switch (step.part) {
    case Part::forward:
    case Part::again:
      apply(execution, pass.run, part, stripe, instruction, thread, false, true);
      return;
    case Part::first_half: {
      Norm& norm = execution.norms[at(node.norm)];
      normalise_gradient_sums(pass.run, part, stripe, norm.state(),
                              norm_tensors(execution, instruction, thread), norm.sums);
      return;
    }
    case Part::second_half: {
      Norm& norm = execution.norms[at(node.norm)];
      normalise_backward(pass.run, part, stripe.rows, norm.state(),
                         norm_tensors(execution, instruction, thread), norm.sums);
      return;
    }
    case Part::weights: {
      const std::size_t l = pass.layer_of(step);
      const SparseLayer& layer = execution.layers[l];
      if (layer.runs_tiles()) {
        weight_gradient_tiles(
            pass.run, *execution.tiles.kernels, part.begin, stripe.rows, layer,
            execution.value(instruction.input, thread),
            execution.gradient(instruction.output, thread), execution.rooms[at(thread)].tiles,
            std::span(execution.partial[at(group)]).subspan(at(execution.place[l])));
        return;
      }
      const Weights which = computed(layer, pass.all != nullptr);
      const View input = single(execution, pass.run, {instruction.input, false}, part,
                                rows_read(node, stripe.rows), thread);
      const View gradient =
          single(execution, pass.run, {instruction.output, true}, part, stripe.rows.bottom, thread);
      const std::size_t count = at(weight_count(layer, which));
      const std::span<float> sums =
          std::span(execution.partial[at(group)]).subspan(at(execution.place[l]));
      convolve_weight_gradient(pass.run, part, stripe.rows, layer, which,
                               {0, layer.place.layer.outputs}, input, gradient,
                               execution.rooms[at(thread)].lanes, sums.first(count));
      if (pass.all == nullptr) {
        add_bias_gradient(pass.run, part, stripe.rows, gradient,
                          sums.subspan(count, layer.bias.value.size()));
      }
      return;
    }
    case Part::backward:
      if (node.operation == Operation::add) {
        differentiate_add(execution, pass.run, part, instruction, thread);
        return;
      }
      if (node.operation == Operation::attention) {
        differentiate_attention(execution, pass.run, part, instruction, thread);
        return;
      }
      if (node.operation == Operation::tokens && pass.all == nullptr) {
        differentiate_tokens(execution, pass.run, part, instruction, thread, group);
      }
      if (instruction.to_input != Contribution::none) {
        differentiate_input(execution, pass.run, part, stripe.rows, instruction, thread);
      }
      return;
  }
}

std::span<float> room_for_weights(Execution& execution, std::size_t count) {
  execution.all_weights.resize(std::max(execution.all_weights.size(), count));
  return std::span(execution.all_weights).first(count);
}

/// Where the weight gradient of a layer is to appear, in the order of its kernels.
std::span<float> weight_target(Pass& pass, std::size_t l) {
  Execution& execution = pass.execution;
  SparseLayer& layer = execution.layers[l];
  const std::size_t connections = at(layer.place.layer.connections());
  if (pass.all != nullptr) {
    (*pass.all)[l].assign(connections, 0.0F);
    return (*pass.all)[l];
  }
  if (layer.runs_all) {
    return room_for_weights(execution, connections);
  }
  return layer.weight.gradient;
}

void leave_present(Pass& pass, std::size_t l, std::span<const float> target) {
  SparseLayer& layer = pass.execution.layers[l];
  if (pass.all == nullptr && layer.runs_all) {
    select_present(layer.mask, target, layer.weight.gradient);
  }
}

/// The sums over the groups of blocks, in their order, from a place in theirs on; leaves the
/// groups' own at zero.
void add_groups(const Run& run, std::vector<std::vector<float>>& groups, std::size_t place,
                std::span<float> target) {
  in_parts(
      run.threads, std::ssize(target), [&](std::int64_t, std::int64_t begin, std::int64_t end) {
        const std::size_t count = at(end - begin);
        const std::span<float> to = target.subspan(at(begin), count);
        std::ranges::fill(to, 0.0F);
        for (std::int64_t g = 0; g < group_count(run); ++g) {
          const std::span<float> from = std::span(groups[at(g)]).subspan(place + at(begin), count);
          for (std::size_t i = 0; i < count; ++i) {
            to[i] += from[i];
            from[i] = 0.0F;
          }
        }
      });
}

void finish_tiles(Pass& pass, std::size_t l) {
  SparseLayer& layer = pass.execution.layers[l];
  const std::size_t count = at(tile_sum_count(layer.place.layer));
  const std::span<float> sums = room_for_weights(pass.execution, count);
  add_groups(pass.run, pass.execution.partial, at(pass.execution.place[l]), sums);
  if (pass.all != nullptr) {
    (*pass.all)[l].resize(at(layer.place.layer.connections()));
    all_sums(layer.place.layer, sums, (*pass.all)[l]);
  } else {
    present_sums(*layer.tiles, sums, layer.weight.gradient);
  }
}

void finish_weights(Pass& pass, const Step& step) {
  const std::size_t l = pass.layer_of(step);
  if (pass.execution.layers[l].runs_tiles()) {
    finish_tiles(pass, l);
    return;
  }
  const std::span<float> target = weight_target(pass, l);
  const std::size_t place = at(pass.execution.place[l]);
  add_groups(pass.run, pass.execution.partial, place, target);
  leave_present(pass, l, target);
  if (pass.all == nullptr) {
    add_groups(pass.run, pass.execution.partial, place + target.size(),
               pass.execution.layers[l].bias.gradient);
  }
}

/// The class token is added to the first position alone.
void finish_tokens(Pass& pass) {
  Execution& execution = pass.execution;
  std::vector<float>& positions = execution.positions.gradient;
  std::vector<float>& class_token = execution.class_token.gradient;
  add_groups(pass.run, execution.position_sums, 0, positions);
  for (std::size_t c = 0; c < class_token.size(); ++c) {
    class_token[c] = positions[c * (positions.size() / class_token.size())];
  }
}

/// The sums over the blocks, in their order.
void finish_layer_norm(Norm& norm, std::int64_t blocks) {
  const std::size_t channels = norm.scale.value.size();
  for (std::size_t c = 0; c < channels; ++c) {
    GradientSums total;
    for (std::size_t b = 0; b < at(blocks); ++b) {
      total.gradient += norm.sums[b * channels + c].gradient;
      total.centred += norm.sums[b * channels + c].centred;
    }
    norm.shift.gradient[c] = static_cast<float>(total.gradient);
    norm.scale.gradient[c] = static_cast<float>(total.centred);
  }
}

/// A tensor of the batch in single precision, in `room` if it is kept in bf16.
View whole_batch(const Run& run, const View& kept, Tensor& room) {
  if (!kept.bf16) {
    return kept;
  }
  const View expanded{kept.layout, room.data()->lanes.data()};
  in_parts(run.threads, run.blocks, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    // The tensors before it had their values where this one has its halo.
    const std::int64_t size = kept.layout.block();
    std::fill(room.begin() + begin * size, room.begin() + end * size, Position{});
    for (std::int64_t b = begin; b < end; ++b) {
      expand(run, b, all_rows(kept.layout), kept, expanded);
    }
  });
  return expanded;
}

/// The weight gradient of a layer whose sums run over the whole batch, cut over threads by rows.
void differentiate_weights(Pass& pass, const Step& step) {
  Execution& execution = pass.execution;
  const std::size_t l = pass.layer_of(step);
  SparseLayer& layer = execution.layers[l];
  const Weights which = computed(layer, pass.all != nullptr);
  const Instruction& instruction = pass.of(step);
  const View input = whole_batch(pass.run, execution.value(instruction.input), execution.whole[0]);
  const View own =
      whole_batch(pass.run, execution.gradient(instruction.output), execution.whole[1]);
  const std::span<float> target = weight_target(pass, l);
  std::ranges::fill(target, 0.0F);
  const std::int64_t parts = std::ssize(execution.rooms);
  in_parts(parts, parts, [&](std::int64_t part, std::int64_t, std::int64_t) {
    convolve_weight_gradient(pass.run, {0, pass.run.blocks}, all_rows(own.layout), layer, which,
                             share_of_rows(layer, which, part, parts), input, own,
                             execution.rooms[at(part)].lanes, target);
  });
  leave_present(pass, l, target);
  if (pass.all == nullptr) {
    bias_gradient(pass.run, own, layer.bias.gradient);
  }
}

/// What a segment leaves to do for the whole batch.
void finish(Pass& pass, const Step& step) {
  Execution& execution = pass.execution;
  const Node& node = execution.network.nodes[at(pass.of(step).node)];
  if (step.part == Part::weights) {
    finish_weights(pass, step);
  } else if (node.layer >= 0 && step.part == Part::backward &&
             !execution.plan.weights_by_block[at(node.layer)]) {
    differentiate_weights(pass, step);
  } else if (node.operation == Operation::tokens && pass.all == nullptr) {
    finish_tokens(pass);
  } else if (node.operation == Operation::layer_norm && step.part == Part::backward &&
             pass.all == nullptr) {
    finish_layer_norm(execution.norms[at(node.norm)], pass.run.blocks);
  } else if (step.part == Part::first_half) {
    Norm& norm = execution.norms[at(node.norm)];
    const std::size_t channels = norm.mean.size();
    std::span<float> scale(norm.scale.gradient);
    std::span<float> shift(norm.shift.gradient);
    if (pass.all != nullptr) {
      scale = std::span(execution.unused).first(channels);
      shift = std::span(execution.unused).subspan(channels, channels);
    }
    batch_gradient_sums(pass.run, execution.plan.sum_stripes[at(node.norm)], norm.state(),
                        norm.sums, scale, shift);
  }
}

}  // namespace

void backward(Execution& execution, const Run& run, std::vector<std::vector<float>>* all) {
  Pass pass{execution, run, all};
  for (const Segment& segment : execution.plan.backward) {
    make_room(pass, segment);
    order_by_input(pass, segment);
    for_each_step(
        execution, run, segment,
        [&](const Step& step, std::int64_t thread, std::int64_t group, Blocks part,
            const StripeOf& stripe) { differentiate(pass, part, stripe, step, thread, group); });
    for (const Step& step : segment.steps) {
      finish(pass, step);
    }
  }
}

}  // namespace gcg::sparse
