#include "train/cost.h"

#include <gtest/gtest.h>

#include "graph/networks.h"

namespace gcg {
namespace {

/// 1x4x4 -> 3x3 convolution, 2 channels, padding 1 -> flatten -> linear 32 to 10.
Network small_network() {
  NetworkBuilder net("small", {1, 4, 4});
  std::int32_t x = net.convolution("conv", 0, 2, {3, 3, 1, 1});
  x = net.flatten("flatten", net.relu("relu", x));
  net.linear("fc", x, 10);
  return net.finish();
}

TEST(Cost, DenseTrainingIsThreeForwardPassesOfTwoFlopsPerMultiplyAdd) {
  const Network network = small_network();
  const double forward = 2.0 * (18 * 16 + 320);
  EXPECT_DOUBLE_EQ(training_flops(network, Mask(network, true), 7), 3 * forward * 7);
}

TEST(Cost, FollowsPresentConnectionsAndTheirPositions) {
  const Network network = small_network();
  Mask mask(network, false);
  mask.layers[0].set(4);
  mask.layers[1].set(0);
  mask.layers[1].set(100);
  EXPECT_DOUBLE_EQ(training_flops(network, mask, 1), 3 * 2.0 * (16 + 2));
}

TEST(Cost, PathScoreSweepsPresentConnectionsTwiceAndMultipliesAtAllOfThem) {
  const Network network = small_network();
  Mask mask(network, false);
  mask.layers[0].set(4);
  mask.layers[1].set(0);
  EXPECT_DOUBLE_EQ(path_score_flops(network, mask), 2 * 2.0 * (16 + 1) + 2.0 * (288 + 320));
}

TEST(Cost, DenseGradientIsSparseForwardAndInputGradientPlusDenseWeightGradient) {
  const Network network = small_network();
  Mask mask(network, false);
  mask.layers[0].set(4);
  EXPECT_DOUBLE_EQ(dense_gradient_flops(network, mask, 5), 5 * (2 * 2.0 * 16 + 2.0 * (288 + 320)));
  EXPECT_DOUBLE_EQ(dense_gradient_flops(network, Mask(network, true), 5),
                   training_flops(network, Mask(network, true), 5));
}

}  // namespace
}  // namespace gcg
