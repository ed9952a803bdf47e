#include "backend/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "backend/slots.h"
#include "base/error.h"
#include "graph/networks.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Network network() {
  return build_network("resnet8", {.input = {3, 8, 8}, .classes = 4, .width = 2});
}

/// Every third connection.
Mask third(const Network& net) {
  Mask mask(net, false);
  for (LayerMask& layer : mask.layers) {
    for (std::int64_t i = 0; i < layer.size(); i += 3) {
      layer.set(i);
    }
  }
  return mask;
}

std::uint32_t bits_of(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

TEST(InitialState, IsTheInitialNetworkUnderTheMask) {
  const Network net = network();
  const Mask mask = third(net);
  const Parameters dense = initial_parameters(net, 5);
  const TrainingState state = initial_state(net, mask, 5);
  EXPECT_EQ(state.mask, mask);
  EXPECT_TRUE(state.slots.empty());
  EXPECT_EQ(state.values.biases, dense.biases);
  EXPECT_EQ(state.values.norms, dense.norms);
  for (std::size_t l = 0; l < mask.layers.size(); ++l) {
    for (std::int64_t i = 0; i < mask.layers[l].size(); ++i) {
      const auto index = static_cast<std::size_t>(i);
      const float expected = mask.layers[l].test(i) ? dense.weights[l][index] : 0.0F;
      ASSERT_EQ(bits_of(state.values.weights[l][index]), bits_of(expected)) << l << " " << i;
    }
  }
}

TEST(InitialState, ValuesDoNotDependOnTheMask) {
  const Network net = network();
  EXPECT_EQ(initial_state(net, Mask(net, true), 5).values, initial_parameters(net, 5));
  TrainingState narrowed = initial_state(net, Mask(net, true), 5);
  narrowed.mask = third(net);
  clear_absent(narrowed);
  EXPECT_EQ(narrowed, initial_state(net, third(net), 5));
}

TEST(InitialState, RefusesAMaskOfAnotherNetwork) {
  const Network net = network();
  Mask mask(net, true);
  mask.layers[1] = LayerMask(3);
  EXPECT_THAT([&] { initial_state(net, mask, 1); },
              ThrowsMessage<Error>(HasSubstr("resnet8: stage1.block1.conv1: the mask has 3")));
}

TEST(ClearAbsent, WritesPositiveZerosWhereAbsentAndNothingElse) {
  const Network net = network();
  const Mask mask = third(net);
  TrainingState state = initial_state(net, mask, 5);
  state.slots = empty_slots(net, find_optimiser("sgd"));
  TrainingState expected = state;
  for (const float rubbish : {-0.0F, 1.0F, std::numeric_limits<float>::quiet_NaN(),
                              -std::numeric_limits<float>::infinity()}) {
    state.values.weights[2][1] = rubbish;
    state.slots[0].values.weights[2][1] = rubbish;
    state.slots[0].values.weights[0][3] = 0.25F;  // present: kept
    expected.slots[0].values.weights[0][3] = 0.25F;
    clear_absent(state);
    EXPECT_EQ(state, expected);
    EXPECT_EQ(bits_of(state.values.weights[2][1]), 0U);
    EXPECT_EQ(bits_of(state.slots[0].values.weights[2][1]), 0U);
    EXPECT_NO_THROW(check_mask_invariant(net, state));
  }
}

TEST(ClearSlots, EmptiesThoseOfOneConnectionOrAll) {
  const Network net = network();
  const TrainingState empty = initial_state(net, Mask(net, true), 5);
  for (const Optimiser& optimiser : optimiser_table()) {
    TrainingState state = empty;
    state.slots = empty_slots(net, optimiser);
    state.updates = 7;
    const TrainingState expected = state;
    for (Slot& slot : state.slots) {
      slot.values.weights[1][4] = 1.0F;
    }
    clear_slots(state, 1, 4);
    EXPECT_EQ(state, expected);
    clear_slots(state);
    EXPECT_EQ(state, empty);
  }
}

TEST(CheckSlots, TakesThoseOfTheOptimiserOrNone) {
  const Optimiser& adamw = find_optimiser("adamw");
  EXPECT_NO_THROW(check_slots(adamw, {}));
  EXPECT_NO_THROW(check_slots(adamw, {"gradient_average", "square_average"}));
  EXPECT_THAT([&] { check_slots(adamw, {"momentum"}); },
              ThrowsMessage<Error>(HasSubstr("adamw: the state has the slots of another optimiser: "
                                             "momentum\n  remedy: ")));
}

TEST(MaskInvariant, LooksAtEverySlot) {
  const Network net = network();
  TrainingState state = initial_state(net, third(net), 5);
  state.slots = empty_slots(net, find_optimiser("adamw"));
  EXPECT_NO_THROW(check_mask_invariant(net, state));
  state.slots[1].values.weights[0][1] = 1.0F;
  EXPECT_THAT([&] { check_mask_invariant(net, state); },
              ThrowsMessage<Error>(HasSubstr("the square_average of absent connection 1 has the")));
  clear_absent(state);
  EXPECT_NO_THROW(check_mask_invariant(net, state));
  state.slots[1].values.weights[0].pop_back();
  EXPECT_THROW(check_mask_invariant(net, state), Error);
  EXPECT_THROW(clear_absent(state), Error);
}

TEST(MaskInvariant, HoldsForZeroWeightsThatArePresent) {
  const Network net = network();
  TrainingState state = initial_state(net, third(net), 5);
  state.values.weights[0][3] = 0.0F;
  state.values.weights[0][6] = -0.0F;
  EXPECT_NO_THROW(check_mask_invariant(net, state));
}

TEST(MaskInvariant, NamesTheBitsOfAnAbsentConnection) {
  const Network net = network();
  const TrainingState good = initial_state(net, third(net), 5);
  TrainingState state = good;
  state.values.weights[1][4] = -0.0F;
  EXPECT_THAT([&] { check_mask_invariant(net, state); },
              ThrowsMessage<Error>(
                  HasSubstr("resnet8: stage1.block1.conv1: the weight of absent connection 4 has "
                            "the bits 0x80000000")));
  state = good;
  state.slots = empty_slots(net, find_optimiser("sgd"));
  state.slots[0].values.weights[0][1] = 1.0F;
  EXPECT_THAT([&] { check_mask_invariant(net, state); },
              ThrowsMessage<Error>(HasSubstr("resnet8: stem.conv: the momentum of absent "
                                             "connection 1 has the bits 0x3f800000")));
  state = good;
  state.mask.layers.pop_back();
  EXPECT_THROW(check_mask_invariant(net, state), Error);
}

}  // namespace
}  // namespace gcg
