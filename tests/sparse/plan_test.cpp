#include "sparse/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "backend/random_cases.h"
#include "graph/networks.h"

namespace gcg::sparse {
namespace {

TEST(SparsePlan, FusesNormalisationAdditionAndRectifier) {
  const Network network = build_network("resnet20", {{3, 32, 32}, 10, 16});
  const Plan plan = make_plan(network, Precision::fp32);
  const auto count = [&](Operation operation) {
    return std::ranges::count_if(plan.instructions, [&](const Instruction& i) {
      return network.nodes[static_cast<std::size_t>(i.node)].operation == operation;
    });
  };
  EXPECT_EQ(count(Operation::relu), 0);
  EXPECT_EQ(count(Operation::add), 0);
  EXPECT_EQ(count(Operation::batch_norm), 21);
  EXPECT_EQ(
      std::ranges::count_if(plan.instructions, [](const Instruction& i) { return i.other >= 0; }),
      9);
}

TEST(SparsePlan, SharesTheBuffersOfGradients) {
  // Each of the three stages needs a few, however many blocks it has.
  const Network network = build_network("resnet20", {{3, 32, 32}, 10, 16});
  const Plan plan = make_plan(network, Precision::fp32);
  const auto values = std::ranges::count_if(
      plan.value, [](const Room& room) { return room.kind == Room::Kind::batch; });
  EXPECT_LE(std::ssize(plan.buffers) - values, 9);
  for (const Room& room : plan.gradient) {
    EXPECT_TRUE(room.kind != Room::Kind::batch || room.index >= values);
  }
}

TEST(SparsePlan, KeepsOfAConvolutionAndItsNormalisationOneTensor) {
  const Network network = build_network("resnet20", {{3, 32, 32}, 10, 16});
  const Plan plan = make_plan(network, Precision::fp32);
  const auto count = [](const std::vector<Room>& rooms, Room::Kind kind) {
    return std::ranges::count_if(rooms, [&](const Room& room) { return room.kind == kind; });
  };
  // The first normalisation of each of the 9 blocks is made again where it is read.
  EXPECT_EQ(count(plan.value, Room::Kind::block), 9);
  EXPECT_GE(count(plan.gradient, Room::Kind::block), 9);
  // One room a stage for values, one for gradients.
  EXPECT_LE(plan.blocks.size(), 6U);
}

TEST(SparsePlan, MakesAValueAgainBeforeEveryWeightGradientThatReadsIt) {
  for (const Network& network : all_small_networks()) {
    SCOPED_TRACE(network.name);
    const Plan plan = make_plan(network, Precision::fp32);
    for (const Segment& segment : plan.backward) {
      std::vector<bool> made(network.nodes.size(), false);
      for (const Step& step : segment.steps) {
        const Instruction& instruction =
            plan.instructions[static_cast<std::size_t>(step.instruction)];
        if (step.part == Part::again) {
          made[static_cast<std::size_t>(instruction.output)] = true;
        }
        const std::size_t input = static_cast<std::size_t>(instruction.input);
        if (step.part == Part::weights) {
          EXPECT_EQ(plan.value[input].kind == Room::Kind::block, made[input]);
        }
      }
    }
  }
}

TEST(SparsePlan, CutsWhereTheWholeBatchMustBeKnown) {
  for (const Network& network : all_small_networks()) {
    SCOPED_TRACE(network.name);
    const Plan plan = make_plan(network, Precision::fp32);
    const auto node_of = [&](const Step& step) {
      return network.nodes[static_cast<std::size_t>(
          plan.instructions[static_cast<std::size_t>(step.instruction)].node)];
    };
    std::vector<bool> ready(network.nodes.size(), false);
    ready[0] = true;
    std::int32_t next = 0;
    for (const Segment& segment : plan.forward) {
      for (const Step& step : segment.steps) {
        EXPECT_EQ(step.instruction, next++);
        if (node_of(step).operation == Operation::batch_norm) {
          EXPECT_TRUE(ready[static_cast<std::size_t>(node_of(step).inputs[0])]);
        }
      }
      for (const Step& step : segment.steps) {
        const auto& done = plan.instructions[static_cast<std::size_t>(step.instruction)];
        ready[static_cast<std::size_t>(done.output)] = true;
      }
    }
    for (const Segment& segment : plan.backward) {
      for (std::size_t i = 0; i < segment.steps.size(); ++i) {
        EXPECT_TRUE(segment.steps[i].part != Part::second_half || i == 0);
        EXPECT_TRUE(segment.steps[i].part != Part::first_half || i + 1 == segment.steps.size());
      }
    }
  }
}

TEST(SparsePlan, LeavesOutGradientsThatNobodyNeeds) {
  NetworkBuilder net("pooled_input", {2, 4, 4});
  const std::int32_t pool = net.max_pool("pool", 0, {2, 2, 2, 0});
  const std::int32_t conv = net.convolution("conv", pool, 3, {2, 2, 1, 0});
  net.relu("relu", conv);
  const Plan plan = make_plan(net.finish(), Precision::fp32);
  ASSERT_EQ(plan.instructions.size(), 3U);
  EXPECT_FALSE(plan.instructions[0].backward);
  EXPECT_TRUE(plan.instructions[1].backward);
  EXPECT_EQ(plan.instructions[1].to_input, Contribution::none);
  EXPECT_EQ(plan.instructions[2].to_input, Contribution::in_place);
  EXPECT_EQ(plan.gradient[static_cast<std::size_t>(pool)], Room{});
  EXPECT_EQ(plan.gradient[2], plan.gradient[3]);
}

TEST(SparsePlan, WritesEveryGradientBeforeItAddsToIt) {
  for (const Network& network : all_small_networks()) {
    SCOPED_TRACE(network.name);
    const Plan plan = make_plan(network, Precision::fp32);
    std::vector<bool> written(network.nodes.size(), false);
    written.back() = true;
    for (std::size_t i = plan.instructions.size(); i-- > 0;) {
      const Instruction& instruction = plan.instructions[i];
      if (!instruction.backward) {
        continue;
      }
      EXPECT_TRUE(written[static_cast<std::size_t>(instruction.output)]);
      const auto contribute = [&](std::int32_t to, Contribution contribution) {
        if (contribution != Contribution::none) {
          EXPECT_EQ(written[static_cast<std::size_t>(to)],
                    contribution == Contribution::accumulate);
          written[static_cast<std::size_t>(to)] = true;
        }
      };
      contribute(instruction.third, instruction.to_third);
      contribute(instruction.other, instruction.to_other);
      contribute(instruction.input, instruction.to_input);
    }
  }
}

}  // namespace
}  // namespace gcg::sparse
