#include "train/branches.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "graph/networks.h"

namespace gcg {
namespace {

Network transformer(double stochastic_depth) {
  return build_network("vit6_small", {{3, 32, 32}, 10, 12, stochastic_depth});
}

TEST(BranchFactors, DropEveryBranchInItsShareOfTheSamplesAndKeepTheMean) {
  const Network network = transformer(0.5);
  const std::int64_t samples = 4000;
  const std::vector<float> factors =
      draw_branch_factors(network, samples, {0, samples}, RandomStream(1, "stochastic-depth"));
  ASSERT_EQ(network.drop_count, 10);  // two for each of six blocks, the first without
  ASSERT_EQ(std::ssize(factors), 10 * samples);
  for (std::int64_t n = 0; n < 10; ++n) {
    const double rate = 0.1 * static_cast<double>(n / 2 + 1);
    const auto begin = factors.begin() + n * samples;
    const auto dropped = std::count(begin, begin + samples, 0.0F);
    const auto kept = std::count(begin, begin + samples, static_cast<float>(1 / (1 - rate)));
    EXPECT_EQ(dropped + kept, samples) << n;
    // Five standard deviations at most.
    EXPECT_NEAR(static_cast<double>(dropped) / static_cast<double>(samples), rate, 0.04) << n;
  }
}

TEST(BranchFactors, OfSharesAreThoseOfTheWholeBatch) {
  const Network network = transformer(0.3);
  const RandomStream stream(3, "stochastic-depth", 7);
  const std::vector<float> whole = draw_branch_factors(network, 11, {0, 11}, stream);
  const std::vector<float> left = draw_branch_factors(network, 11, {0, 5}, stream);
  const std::vector<float> right = draw_branch_factors(network, 11, {5, 11}, stream);
  for (std::int64_t n = 0; n < network.drop_count; ++n) {
    EXPECT_TRUE(
        std::equal(left.begin() + n * 5, left.begin() + (n + 1) * 5, whole.begin() + n * 11));
    EXPECT_TRUE(
        std::equal(right.begin() + n * 6, right.begin() + (n + 1) * 6, whole.begin() + n * 11 + 5));
  }
}

TEST(BranchFactors, OfANetworkThatDropsNothingAreNone) {
  const RandomStream stream(3, "stochastic-depth");
  EXPECT_TRUE(draw_branch_factors(transformer(0), 8, {0, 8}, stream).empty());
}

}  // namespace
}  // namespace gcg
