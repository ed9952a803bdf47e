#include "growth/units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gcg {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Degrees = std::vector<std::int64_t>;

/// conv (1x3 input, 1x2 kernels, 2 channels, 2 positions), flatten, fc1 to 4 features; their sum is
/// read by fc2. Layers 0, 1, 2.
Network flattened_sum() {
  NetworkBuilder net("sum", {1, 1, 3});
  const std::int32_t conv = net.relu("relu", net.convolution("conv", 0, 2, {1, 2, 1, 0}));
  const std::int32_t flat = net.flatten("flatten", conv);
  net.linear("fc2", net.add("add", flat, net.linear("fc1", flat, 4)), 2);
  return net.finish();
}

/// Unit 0 of conv has two taps, unit 1 one; fc1 reads feature 1 (conv's unit 0) into its unit 3;
/// fc2 reads feature 3 (conv's unit 1 and fc1's unit 3) into class 0 and feature 0 (conv's unit 0
/// and fc1's unit 0) into class 0.
Mask example(const Network& network) {
  Mask mask(network, false);
  for (const std::int64_t i : {0, 1, 2}) {
    mask.layers[0].set(i);
  }
  mask.layers[1].set(3 * 4 + 1);
  mask.layers[2].set(3);
  mask.layers[2].set(0);
  return mask;
}

TEST(UnitDegrees, CountBothSidesBehindFlattenAndAddition) {
  const Network network = flattened_sum();
  const UnitDegrees degrees = unit_degrees(network, example(network));
  EXPECT_THAT(degrees.feeders, ElementsAre(IsEmpty(), ElementsAre(0), ElementsAre(0, 1)));
  EXPECT_THAT(degrees.readers, ElementsAre(ElementsAre(1, 2), ElementsAre(2), IsEmpty()));
  EXPECT_THAT(degrees.incoming, ElementsAre(Degrees{2, 1}, Degrees{0, 0, 0, 1}, Degrees{2, 0}));
  EXPECT_THAT(degrees.outgoing, ElementsAre(Degrees{2, 1}, Degrees{1, 0, 0, 1}, Degrees{0, 0}));
}

TEST(UnitDegrees, SurplusLeavesAnotherConnectionToEveryUnitAtBothEnds) {
  const Network network = flattened_sum();
  const Mask mask = example(network);
  UnitDegrees degrees = unit_degrees(network, mask);
  EXPECT_TRUE(is_surplus(degrees, network, {0, 0}));    // inputs are no units
  EXPECT_FALSE(is_surplus(degrees, network, {0, 2}));   // the only one into conv's unit 1
  EXPECT_FALSE(is_surplus(degrees, network, {1, 13}));  // the only one into fc1's unit 3
  EXPECT_FALSE(is_surplus(degrees, network, {2, 3}));   // the only reader of conv's unit 1
  EXPECT_FALSE(is_surplus(degrees, network, {2, 0}));   // the only reader of fc1's unit 0

  change_degrees(degrees, network, {2, 4}, 1);  // class 1 reads feature 0
  EXPECT_TRUE(is_surplus(degrees, network, {2, 0}));
  change_degrees(degrees, network, {2, 0}, -1);
  EXPECT_FALSE(is_surplus(degrees, network, {2, 4}));
  EXPECT_FALSE(is_surplus(degrees, network, {2, 3}));  // class 0 keeps no other

  Mask changed = mask;
  changed.layers[2].reset(0);
  changed.layers[2].set(4);
  const UnitDegrees anew = unit_degrees(network, changed);
  EXPECT_EQ(degrees.incoming, anew.incoming);
  EXPECT_EQ(degrees.outgoing, anew.outgoing);
}

TEST(UnitDegrees, DrawnConnectionsEndAtTheirUnit) {
  const Network network = flattened_sum();
  const Mask empty(network, false);
  for (std::int32_t layer = 0; layer < 3; ++layer) {
    const auto l = static_cast<std::size_t>(layer);
    for (std::int64_t unit = 0; unit < network.layers[l].outputs; ++unit) {
      for (std::uint64_t k = 0; k < 50; ++k) {
        RandomStream stream(1, "draw", k);
        UnitDegrees degrees = unit_degrees(network, empty);
        change_degrees(degrees, network, draw_incoming(network, layer, unit, stream), 1);
        EXPECT_EQ(degrees.incoming[l][static_cast<std::size_t>(unit)], 1);
        if (!degrees.readers[l].empty()) {
          change_degrees(degrees, network, draw_outgoing(degrees, network, layer, unit, stream), 1);
          EXPECT_EQ(degrees.outgoing[l][static_cast<std::size_t>(unit)], 1);
        }
      }
    }
  }
}

}  // namespace
}  // namespace gcg
