#include "sparse/stripes.h"

#include <algorithm>

#include "base/index.h"

namespace gcg::sparse {

namespace {

/// Bytes of a tensor's part that is worked on at a time: several of them share a second cache.
constexpr std::int64_t kStripeBytes = 352 * 1024;
/// Fewer positions would not pay for the sums that start anew with every stripe.
constexpr std::int64_t kFewestPositions = 64;

enum class Reach : std::uint8_t {
  same_row,
  window,    ///< all rows under the window of an output's row
  meetings,  ///< all outputs that a row of the input contributes to
};

struct Reading {
  TensorId tensor;
  Reach reach = Reach::same_row;
};

/// What a step reads and writes, as far as stripes depend on it, and whether it can be cut at all.
struct Access {
  bool can_be_cut = false;
  std::int32_t node = -1;  ///< whose rows are cut
  std::vector<Reading> reads;
  std::vector<TensorId> writes;
};

Access access(const Network& network, const Plan& plan, const Step& step) {
  const Instruction& i = plan.instructions[at(step.instruction)];
  const Operation operation = network.nodes[at(i.node)].operation;
  const bool convolution = operation == Operation::convolution;
  const bool norm = operation == Operation::batch_norm;
  switch (step.part) {
    case Part::forward:
    case Part::again: {
      Access a{convolution || norm,
               i.output,
               {{{i.input, false}, convolution ? Reach::window : Reach::same_row}},
               {{i.output, false}}};
      if (i.other >= 0) {
        a.reads.push_back({{i.other, false}});
      }
      return a;
    }
    case Part::weights:
      return {convolution,
              i.output,
              {{{i.input, false}, Reach::window}, {{i.output, true}, Reach::same_row}},
              {}};
    case Part::backward:
      return {convolution, i.input, {{{i.output, true}, Reach::meetings}}, {{i.input, true}}};
    case Part::first_half:
      return {norm, i.output, {{{i.output, true}}}, {{i.output, true}}};
    case Part::second_half:
      return {norm, i.output, {{{i.output, true}}}, {{i.input, true}, {i.other, true}}};
  }
  return {};
}

/// The rows of what is read that the first `rows` of the step's own need.
std::int64_t needed(const Network& network, const Plan& plan, const Step& step, Reach reach,
                    std::int64_t rows) {
  const Instruction& instruction = plan.instructions[at(step.instruction)];
  const Window& window = network.nodes[at(instruction.node)].window;
  if (rows == 0 || reach == Reach::same_row) {
    return rows;
  }
  const std::int64_t last = rows - 1;
  // A gradient may take the place of the one it is made from: never ahead of it.
  return reach == Reach::window ? last * window.stride - window.padding + window.height
                                : std::max(rows, (last + window.padding) / window.stride + 1);
}

std::int64_t height(const Plan& plan, std::int32_t node) {
  return plan.layouts[at(node)].shape.height;
}

/// Rows of a stripe of the steps that none of the others waits for.
std::int64_t rows_of_a_stripe(const Plan& plan, std::int32_t node, std::int64_t stripes) {
  const Shape& shape = plan.layouts[at(node)].shape;
  const std::int64_t rows = (shape.height + stripes - 1) / stripes;
  // Kernels take two rows at a time.
  return std::max((rows + 1) / 2 * 2, (kFewestPositions + shape.width - 1) / shape.width);
}

void cut(const Network& network, Plan& plan, Segment& segment) {
  std::vector<Access> accesses;
  bool can_be_cut = !segment.vectors;
  std::int64_t bytes = 0;
  for (const Step& step : segment.steps) {
    accesses.push_back(access(network, plan, step));
    can_be_cut = can_be_cut && accesses.back().can_be_cut;
    bytes = std::max(bytes, plan.layouts[at(accesses.back().node)].block() *
                                static_cast<std::int64_t>(sizeof(Position)));
  }
  const std::int64_t parts = can_be_cut ? (bytes + kStripeBytes - 1) / kStripeBytes : 1;
  const std::size_t count = segment.steps.size();
  std::vector<std::int64_t> done(count, 0);
  bool last = false;
  for (std::int64_t s = 1; !last; ++s) {
    std::vector<std::int64_t> until(count, 0);
    last = true;
    for (std::size_t i = count; i-- > 0;) {
      const std::int64_t whole = height(plan, accesses[i].node);
      bool waited_for = false;
      for (std::size_t j = i + 1; j < count; ++j) {
        for (const Reading& reading : accesses[j].reads) {
          if (std::ranges::find(accesses[i].writes, reading.tensor) != accesses[i].writes.end()) {
            until[i] = std::max(until[i],
                                needed(network, plan, segment.steps[j], reading.reach, until[j]));
            waited_for = true;
          }
        }
      }
      if (!waited_for) {
        until[i] = s * rows_of_a_stripe(plan, accesses[i].node, parts);
        last = last && until[i] >= whole;
      }
      until[i] = std::min(until[i], whole);
    }
    std::vector<Stripe> stripe;
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t bottom =
          last ? height(plan, accesses[i].node) : std::max(until[i], done[i]);
      stripe.push_back({done[i], bottom});
      done[i] = bottom;
    }
    segment.stripes.push_back(std::move(stripe));
  }
}

}  // namespace

void cut_into_stripes(const Network& network, Plan& plan) {
  for (Segment& segment : plan.forward) {
    cut(network, plan, segment);
  }
  for (Segment& segment : plan.backward) {
    cut(network, plan, segment);
  }
  plan.value_stripes.assign(network.nodes.size(), 1);
  plan.sum_stripes.assign(at(network.norm_count), 1);
  for (const Segment& segment : plan.forward) {
    for (const Step& step : segment.steps) {
      plan.value_stripes[at(plan.instructions[at(step.instruction)].output)] =
          std::ssize(segment.stripes);
    }
  }
  for (const Segment& segment : plan.backward) {
    for (const Step& step : segment.steps) {
      if (step.part == Part::first_half) {
        const Instruction& instruction = plan.instructions[at(step.instruction)];
        plan.sum_stripes[at(network.nodes[at(instruction.node)].norm)] =
            std::ssize(segment.stripes);
      }
    }
  }
}

}  // namespace gcg::sparse
