#include <limits>

#include "base/index.h"
#include "sparse/execution.h"
#include "sparse/tile_convolve.h"

namespace gcg::sparse {

namespace {

/// The moments by which a normalisation is about to normalise.
void take_moments(Execution& execution, const Run& run, const Instruction& instruction,
                  Moments moments) {
  const Node& node = execution.network.nodes[at(instruction.node)];
  if (node.operation != Operation::batch_norm) {
    return;
  }
  Norm& norm = execution.norms[at(node.norm)];
  if (moments == Moments::running) {
    norm.mean.assign(norm.running_mean.begin(), norm.running_mean.end());
    norm.variance.assign(norm.running_variance.begin(), norm.running_variance.end());
  } else {
    batch_moments(run, execution.plan.value_stripes[at(instruction.input)],
                  execution.moments[at(instruction.input)], norm.state());
  }
}

void measure(Execution& execution, const Run& run, Blocks part, StripeOf stripe, std::int32_t node,
             const View& made) {
  plane_moments(run, part, stripe, made, execution.moments[at(node)]);
}

}  // namespace

std::int64_t rows_read(const Node& node, Stripe stripe) {
  if (node.operation != Operation::convolution) {
    return std::numeric_limits<std::int64_t>::max();
  }
  return (stripe.bottom - 1) * node.window.stride - node.window.padding + node.window.height;
}

void apply(Execution& execution, const Run& run, Blocks part, StripeOf stripe,
           const Instruction& instruction, std::int64_t thread, bool with_moments, bool again) {
  const Node& node = execution.network.nodes[at(instruction.node)];
  const View kept = execution.value(instruction.output, thread);
  const View output = target(execution, kept, stripe.rows, thread);
  const auto read = [&](std::int32_t value) {
    return single(execution, run, {value, false}, part, rows_read(node, stripe.rows), thread);
  };
  const auto input = [&] { return read(instruction.input); };
  bool is_kept = false;
  switch (node.operation) {
    case Operation::input:
      break;
    case Operation::convolution:
    case Operation::linear: {
      const SparseLayer& layer = execution.layers[at(node.layer)];
      if (layer.runs_tiles()) {
        convolve_tiles(run, *execution.tiles.kernels, part.begin, stripe.rows, layer,
                       execution.value(instruction.input, thread), output);
      } else {
        convolve(run, part, stripe.rows, layer, input(), output);
      }
      break;
    }
    case Operation::batch_norm:
      normalise(run, part, stripe.rows, execution.norms[at(node.norm)].state(),
                execution.value(instruction.input, thread),
                instruction.other < 0 ? View{} : execution.value(instruction.other, thread),
                instruction.relu, kept);
      is_kept = true;
      break;
    case Operation::relu:
      relu(run, part, input(), output);
      break;
    case Operation::add:
      add(run, part, execution.value(instruction.input, thread),
          execution.value(instruction.other, thread), kept);
      is_kept = true;
      break;
    case Operation::max_pool:
      max_pool(run, part, node.window, input(), output);
      break;
    case Operation::average_pool:
      average_pool(run, part, node.window, input(), output);
      break;
    case Operation::global_average_pool: {
      const View from = input();
      average_pool(run, part, whole(from.layout.shape), from, output);
      break;
    }
    case Operation::flatten:
      flatten(run, part, input(), output);
      break;
    case Operation::layer_norm: {
      const LayerNormState norm = execution.norms[at(node.norm)].layer_state();
      const View from = input();
      if (!again) {
        layer_moments(run, part, stripe.rows, norm, from);
      }
      layer_normalise(run, part, stripe.rows, norm, from, output);
      break;
    }
    case Operation::gelu:
      gelu(run, part, stripe.rows, input(), output);
      break;
    case Operation::drop_path:
      scale_samples(part, stripe.rows, execution.factors_of(node, run), input(), false, output);
      break;
    case Operation::tokens:
      make_tokens(run, part, execution.class_token.value, execution.positions.value, input(),
                  output);
      break;
    case Operation::attention:
      attention(run, part, node.heads, {input(), read(instruction.other), read(instruction.third)},
                execution.rooms[at(thread)].scores, output);
      break;
    case Operation::first_token:
      first_token(part, input(), output);
      break;
  }
  if (with_moments) {
    if (is_kept && kept.bf16) {
      expand(run, part.begin, stripe.rows, kept, output);
    }
    measure(execution, run, part, stripe, instruction.output, output);
  }
  if (!is_kept) {
    keep(run, part, stripe.rows, output, false, kept);
  }
}

void forward(Execution& execution, const Run& run, std::span<const float> images, Moments moments) {
  const Plan& plan = execution.plan;
  const auto is_measured = [&](std::int32_t node) {
    return plan.normalised[at(node)] && moments == Moments::batch;
  };
  in_parts(run.threads, run.blocks, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    pack(run, {begin, end}, images, execution.value(0));
    if (is_measured(0)) {
      measure(execution, run, {begin, end}, {all_rows(plan.layouts[0])}, 0, execution.value(0));
    }
  });
  for (const Segment& segment : plan.forward) {
    for (const Step& step : segment.steps) {
      take_moments(execution, run, plan.instructions[at(step.instruction)], moments);
    }
    for_each_step(execution, run, segment,
                  [&](const Step& step, std::int64_t thread, std::int64_t, Blocks part,
                      const StripeOf& stripe) {
                    const Instruction& instruction = plan.instructions[at(step.instruction)];
                    apply(execution, run, part, stripe, instruction, thread,
                          is_measured(instruction.output), false);
                  });
  }
}

}  // namespace gcg::sparse
