#include "sparse/plan.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/index.h"
#include "sparse/block_rooms.h"
#include "sparse/index.h"
#include "sparse/plan_bf16.h"
#include "sparse/stripes.h"

namespace gcg::sparse {

namespace {

/// Tensors of equal height and width get equal halos: what works element by element may then work
/// in place.
std::vector<Layout> place_tensors(const Network& network) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> halos;
  const auto ask = [&](const Shape& shape, std::int64_t halo) {
    std::int64_t& largest = halos[{shape.height, shape.width}];
    largest = std::max(largest, halo);
  };
  for (const Node& node : network.nodes) {
    if (node.operation == Operation::convolution) {
      const Shape& input = network.nodes[at(node.inputs[0])].shape;
      ask(input, input_halo(node.window));
      ask(node.shape, gradient_halo(node.window, input, node.shape));
    }
  }
  std::vector<Layout> layouts;
  for (const Node& node : network.nodes) {
    layouts.push_back({node.shape, halos[{node.shape.height, node.shape.width}]});
  }
  return layouts;
}

/// Whether anything up to and including a node is trained.
std::vector<bool> trained_nodes(const Network& network) {
  std::vector<bool> trained;
  for (const Node& node : network.nodes) {
    trained.push_back(
        node.layer >= 0 || node.norm >= 0 || node.operation == Operation::tokens ||
        std::ranges::any_of(node.inputs, [&](std::int32_t i) { return trained[at(i)]; }));
  }
  return trained;
}

bool works_in_place(const Network& network, const Instruction& instruction) {
  const Operation operation = network.nodes[at(instruction.node)].operation;
  return operation == Operation::batch_norm || operation == Operation::relu ||
         operation == Operation::add || operation == Operation::layer_norm ||
         operation == Operation::gelu || operation == Operation::drop_path;
}

/// Whether a segment is to hold nothing else: what mixes tokens works on whole blocks, and rooms
/// are shared from segment to segment.
bool stands_alone(const Network& network, const Instruction& instruction) {
  const Operation operation = network.nodes[at(instruction.node)].operation;
  return operation == Operation::attention || operation == Operation::tokens ||
         operation == Operation::first_token;
}

/// Whether what an instruction makes is cheap to make again from its input.
bool is_cheap(const Network& network, const Instruction& instruction) {
  const Operation operation = network.nodes[at(instruction.node)].operation;
  return operation == Operation::gelu || operation == Operation::layer_norm ||
         (operation == Operation::batch_norm && instruction.other < 0);
}

bool is_vector(const Network& network, const Instruction& instruction) {
  return network.nodes[at(instruction.input)].shape.positions() == 1 &&
         network.nodes[at(instruction.output)].shape.positions() == 1;
}

bool is_norm(const Network& network, const Instruction& instruction) {
  return network.nodes[at(instruction.node)].operation == Operation::batch_norm;
}

std::int32_t layer_of(const Network& network, const Instruction& instruction) {
  return network.nodes[at(instruction.node)].layer;
}

/// Appends to the last segment if that is of the same kind and nothing forbids it.
void append(const Network& network, const Plan& plan, std::vector<Segment>& segments,
            const Step& step, bool vectors, bool fresh) {
  const auto alone = [&](const Step& one) {
    return stands_alone(network, plan.instructions[at(one.instruction)]);
  };
  if (segments.empty() || segments.back().vectors != vectors || fresh || alone(step) ||
      alone(segments.back().steps.back())) {
    segments.push_back({{}, vectors, {}});
  }
  segments.back().steps.push_back(step);
}

/// Per node the segment that computes its value, and per instruction the one of its backward pass.
struct Segments {
  std::vector<std::size_t> forward;
  std::vector<std::size_t> backward;
};

Segments cut_into_segments(const Network& network, Plan& plan) {
  Segments of{std::vector<std::size_t>(network.nodes.size(), 0),
              std::vector<std::size_t>(plan.instructions.size(), 0)};  // 1 is the first one
  plan.normalised.assign(network.nodes.size(), false);
  const std::int32_t count = static_cast<std::int32_t>(plan.instructions.size());
  for (std::int32_t i = 0; i < count; ++i) {
    const Instruction& instruction = plan.instructions[at(i)];
    const bool norm = is_norm(network, instruction);
    const bool fresh = norm && of.forward[at(instruction.input)] == plan.forward.size();
    append(network, plan, plan.forward, {i, Part::forward}, is_vector(network, instruction), fresh);
    of.forward[at(instruction.output)] = plan.forward.size();
    if (norm) {
      plan.normalised[at(instruction.input)] = true;
    }
  }
  for (std::int32_t i = count - 1; i >= 0; --i) {
    const Instruction& instruction = plan.instructions[at(i)];
    if (!instruction.backward) {
      continue;
    }
    const auto add = [&](Part part, bool fresh) {
      append(network, plan, plan.backward, {i, part}, is_vector(network, instruction), fresh);
    };
    if (is_norm(network, instruction)) {
      add(Part::first_half, false);
      add(Part::second_half, true);
    } else {
      const std::int32_t layer = layer_of(network, instruction);
      if (layer >= 0 && plan.weights_by_block[at(layer)]) {
        add(Part::weights, false);
      }
      add(Part::backward, false);
    }
    of.backward[at(i)] = plan.backward.size();
  }
  return of;
}

/// Whether the output of an instruction need not be kept: a normalisation's that only convolutions
/// of the same segment read, and their weight gradients block by block.
bool is_made_again(const Network& network, const Plan& plan, const Segments& of,
                   const Instruction& instruction) {
  bool read = false;
  for (const Instruction& reader : plan.instructions) {
    if (reader.input != instruction.output && reader.other != instruction.output &&
        reader.third != instruction.output) {
      continue;
    }
    const std::int32_t layer = layer_of(network, reader);
    if (layer < 0 || !plan.weights_by_block[at(layer)] ||
        of.forward[at(reader.output)] != of.forward[at(instruction.output)]) {
      return false;
    }
    read = true;
  }
  return read && is_cheap(network, instruction);
}

/// Whether only additions of the same segment read the output of a layer, or of what drops it in
/// some samples on the way: no backward pass does.
bool is_added_at_once(const Network& network, const Plan& plan, const Segments& of,
                      const Instruction& instruction) {
  const std::int32_t output = instruction.output;
  const auto drops = [&](const Instruction& one) {
    return network.nodes[at(one.node)].operation == Operation::drop_path;
  };
  return (layer_of(network, instruction) >= 0 || drops(instruction)) &&
         by_token(network, instruction) &&
         output + 1 < static_cast<std::int32_t>(network.nodes.size()) &&
         std::ranges::all_of(plan.instructions, [&](const Instruction& reader) {
           const bool reads =
               reader.input == output || reader.other == output || reader.third == output;
           return !reads || (by_token(network, reader) && (reader.other >= 0 || drops(reader)) &&
                             of.forward[at(reader.output)] == of.forward[at(output)]);
         });
}

void place_values(const Network& network, const Segments& of, const std::vector<bool>& in_bf16,
                  BlockRooms& rooms, Plan& plan) {
  plan.value.assign(network.nodes.size(), {});
  const auto keep = [&](std::int32_t node) {
    plan.value[at(node)] = {Room::Kind::batch, static_cast<std::int32_t>(plan.buffers.size())};
    plan.buffers.push_back({plan.layouts[at(node)], in_bf16[at(node)]});
  };
  keep(0);
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(plan.instructions.size()); ++i) {
    const Instruction& instruction = plan.instructions[at(i)];
    if (!in_bf16[at(instruction.output)] && is_added_at_once(network, plan, of, instruction)) {
      const std::size_t here[] = {of.forward[at(instruction.output)]};
      plan.value[at(instruction.output)] = rooms.take(plan.layouts[at(instruction.output)], here);
      continue;
    }
    if (!is_made_again(network, plan, of, instruction)) {
      keep(instruction.output);
      continue;
    }
    std::vector<std::size_t> segments{of.forward[at(instruction.output)]};
    for (std::size_t s = 0; s < plan.backward.size(); ++s) {
      std::vector<Step>& steps = plan.backward[s].steps;
      const auto reader = std::ranges::find_if(steps, [&](const Step& step) {
        return step.part == Part::weights &&
               plan.instructions[at(step.instruction)].input == instruction.output;
      });
      if (reader != steps.end()) {
        steps.insert(reader, {i, Part::again});
        segments.push_back(backward_segment(plan, s + 1));
      }
    }
    plan.value[at(instruction.output)] = rooms.take(plan.layouts[at(instruction.output)], segments);
  }
}

/// Buffers that the gradients of a batch share.
class GradientBuffers {
 public:
  explicit GradientBuffers(std::vector<Buffer>& buffers) : buffers_(buffers) {}

  Room take(const Buffer& buffer) {
    const auto same =
        std::ranges::find_if(free_, [&](std::int32_t b) { return buffers_[at(b)] == buffer; });
    if (same == free_.end()) {
      buffers_.push_back(buffer);
      return {Room::Kind::batch, static_cast<std::int32_t>(buffers_.size() - 1)};
    }
    const std::int32_t found = *same;
    free_.erase(same);
    return {Room::Kind::batch, found};
  }
  void give_back(const Room& room) {
    if (room.kind == Room::Kind::batch) {
      free_.push_back(room.index);
    }
  }

 private:
  std::vector<Buffer>& buffers_;
  std::vector<std::int32_t> free_;
};

/// A buffer is free again for the steps behind its last reader, in the same segment too: they
/// follow block by block. Only the weight gradients that wait for the end of a segment read it
/// still.
void place_gradients(const Network& network, const Segments& of, const std::vector<bool>& in_bf16,
                     BlockRooms& rooms, Plan& plan) {
  const std::vector<bool> trained = trained_nodes(network);
  const auto readers = network.readers();
  GradientBuffers buffers(plan.buffers);
  std::vector<std::int32_t> producer(network.nodes.size(), -1);
  for (std::size_t i = 0; i < plan.instructions.size(); ++i) {
    producer[at(plan.instructions[i].output)] = static_cast<std::int32_t>(i);
  }
  // Whether the gradient of a node is used up in the segment that makes it: by a layer, or, of
  // tokens, by what works on each by itself.
  const auto is_passing = [&](std::int32_t node, std::size_t segment) {
    const std::int32_t by = producer[at(node)];
    if (by < 0 || readers[at(node)].size() != 1 || of.backward[at(by)] != segment) {
      return false;
    }
    const Instruction& instruction = plan.instructions[at(by)];
    const std::int32_t layer = layer_of(network, instruction);
    return layer >= 0 ? bool{plan.weights_by_block[at(layer)]}
                      : by_token(network, instruction) && !in_bf16[at(node)];
  };
  std::vector<Room> waiting;
  std::size_t segment = 0;
  plan.gradient.assign(network.nodes.size(), {});
  plan.gradient.back() = buffers.take({plan.layouts.back(), in_bf16.back()});
  for (std::size_t i = plan.instructions.size(); i-- > 0;) {
    Instruction& instruction = plan.instructions[i];
    if (!instruction.backward) {
      continue;
    }
    if (of.backward[i] != segment) {
      segment = of.backward[i];
      std::ranges::for_each(waiting, [&](const Room& room) { buffers.give_back(room); });
      waiting.clear();
    }
    const bool norm = is_norm(network, instruction);
    const Room own = plan.gradient[at(instruction.output)];
    bool handed_on = false;
    const auto contribute = [&](std::int32_t to, bool in_place) {
      if (to < 0 || !trained[at(to)]) {
        return Contribution::none;
      }
      Room& room = plan.gradient[at(to)];
      if (room != Room{}) {
        return Contribution::accumulate;
      }
      if ((norm || (by_token(network, instruction) && !in_place)) && to == instruction.input &&
          is_passing(to, segment)) {
        const std::size_t here[] = {backward_segment(plan, segment)};
        room = rooms.take(plan.layouts[at(to)], here);
        return Contribution::write;
      }
      if (in_place && !handed_on && (own.kind != Room::Kind::block || is_passing(to, segment))) {
        room = own;
        handed_on = true;
        return Contribution::in_place;
      }
      room = buffers.take({plan.layouts[at(to)], in_bf16[at(to)]});
      return Contribution::write;
    };
    // An addition by itself reads its gradient once more after serving its other input; fused, what
    // is left there is what the normalisation needs.
    instruction.to_third = contribute(instruction.third, false);
    instruction.to_other = contribute(instruction.other, norm);
    instruction.to_input = contribute(instruction.input, works_in_place(network, instruction));
    if (!handed_on) {
      const std::int32_t layer = layer_of(network, instruction);
      if (layer >= 0 && !plan.weights_by_block[at(layer)]) {
        waiting.push_back(own);
      } else {
        buffers.give_back(own);
      }
    }
  }
}

/// Where a plane has few positions, the sums of a weight are best kept over all blocks; elsewhere
/// the tensors are large, and best read while they are in the cache. Of layers with biases those
/// over tokens alone.
std::vector<bool> layers_by_block(const Network& network) {
  constexpr std::int64_t kFewPositions = 16;
  std::vector<bool> by_block;
  for (const Layer& layer : network.layers) {
    const Node& node = network.nodes[at(layer.node)];
    by_block.push_back(node.shape.positions() > kFewPositions &&
                       (!node.bias || node.operation == Operation::linear));
  }
  return by_block;
}

/// What kernels of tiles can run: they have no biases.
std::vector<bool> layers_for_tiles(const Network& network, const std::vector<bool>& in_bf16) {
  std::vector<bool> layers;
  for (const Layer& layer : network.layers) {
    const Node& node = network.nodes[at(layer.node)];
    layers.push_back(node.operation == Operation::convolution && !node.bias &&
                     in_bf16[at(node.inputs[0])] && in_bf16[at(layer.node)]);
  }
  return layers;
}

}  // namespace

Plan make_plan(const Network& network, Precision precision) {
  Plan plan;
  plan.instructions = fuse(network);
  const std::vector<bool> trained = trained_nodes(network);
  for (Instruction& instruction : plan.instructions) {
    instruction.backward = trained[at(instruction.output)];
  }
  plan.layouts = place_tensors(network);
  plan.weights_by_block = layers_by_block(network);
  const std::vector<bool> in_bf16 = nodes_in_bf16(network, precision);
  plan.takes_tiles = layers_for_tiles(network, in_bf16);
  const Segments of = cut_into_segments(network, plan);
  BlockRooms rooms(plan.blocks);
  place_values(network, of, in_bf16, rooms, plan);
  place_gradients(network, of, in_bf16, rooms, plan);
  place_expanded(network, rooms, plan);
  cut_into_stripes(network, plan);
  return plan;
}

std::int64_t batch_bytes(const Plan& plan, std::int64_t samples) {
  std::int64_t positions = 2 * plan.whole;
  for (const Buffer& buffer : plan.buffers) {
    positions += buffer.block();
  }
  return positions * block_count(samples) * static_cast<std::int64_t>(sizeof(Position));
}

}  // namespace gcg::sparse
