#include "sparse/execution.h"

namespace gcg::sparse {

namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// The moments by which a normalisation is about to normalise.
void take_moments(Execution& execution, const Run& run, const Instruction& instruction,
                  Moments moments) {
  const std::int32_t k = execution.network.nodes[at(instruction.node)].norm;
  if (k < 0) {
    return;
  }
  Norm& norm = execution.norms[at(k)];
  if (moments == Moments::running) {
    norm.mean.assign(norm.running_mean.begin(), norm.running_mean.end());
    norm.variance.assign(norm.running_variance.begin(), norm.running_variance.end());
  } else {
    batch_moments(run, execution.plan.value_stripes[at(instruction.input)],
                  execution.moments[at(instruction.input)], norm.state());
  }
}

}  // namespace

void apply(Execution& execution, const Run& run, Blocks part, Stripe stripe,
           const Instruction& instruction, std::int64_t thread) {
  const Node& node = execution.network.nodes[at(instruction.node)];
  const View input = execution.value(instruction.input, thread);
  const View output = execution.value(instruction.output, thread);
  const View other = instruction.other < 0 ? View{} : execution.value(instruction.other, thread);
  switch (node.operation) {
    case Operation::input:
      break;
    case Operation::convolution:
    case Operation::linear:
      convolve(run, part, stripe, execution.layers[at(node.layer)], input, output);
      break;
    case Operation::batch_norm:
      normalise(run, part, stripe, execution.norms[at(node.norm)].state(), input, other,
                instruction.relu, output);
      break;
    case Operation::relu:
      relu(run, part, input, output);
      break;
    case Operation::add:
      add(run, part, input, other, output);
      break;
    case Operation::max_pool:
      max_pool(run, part, node.window, input, output);
      break;
    case Operation::average_pool:
      average_pool(run, part, node.window, input, output);
      break;
    case Operation::global_average_pool:
      average_pool(run, part, whole(input.layout.shape), input, output);
      break;
    case Operation::flatten:
      flatten(run, part, input, output);
      break;
    case Operation::layer_norm:
    case Operation::gelu:
    case Operation::tokens:
    case Operation::attention:
    case Operation::first_token:
      break;  // no plan has them
  }
}

void forward(Execution& execution, const Run& run, std::span<const float> images, Moments moments) {
  const Plan& plan = execution.plan;
  const auto measure = [&](Blocks part, StripeOf stripe, std::int32_t node) {
    if (plan.normalised[at(node)] && moments == Moments::batch) {
      plane_moments(run, part, stripe, execution.value(node), execution.moments[at(node)]);
    }
  };
  in_parts(run.threads, run.blocks, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    pack(run, {begin, end}, images, execution.value(0));
    measure({begin, end}, {all_rows(plan.layouts[0])}, 0);
  });
  for (const Segment& segment : plan.forward) {
    for (const Step& step : segment.steps) {
      take_moments(execution, run, plan.instructions[at(step.instruction)], moments);
    }
    for_each_step(execution, run, segment,
                  [&](const Step& step, std::int64_t thread, std::int64_t, Blocks part,
                      const StripeOf& stripe) {
                    const Instruction& instruction = plan.instructions[at(step.instruction)];
                    apply(execution, run, part, stripe.rows, instruction, thread);
                    measure(part, stripe, instruction.output);
                  });
  }
}

}  // namespace gcg::sparse
