#include "data/mixing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

namespace gcg {
namespace {

constexpr Shape kShape{2, 6, 8};

std::vector<float> numbered(float first) {
  std::vector<float> values(static_cast<std::size_t>(kShape.elements()));
  std::iota(values.begin(), values.end(), first);
  return values;
}

TEST(DrawBeta, HasTheMeanAndVarianceOfItsDistribution) {
  for (const double alpha : {0.01, 0.2, 0.8, 1.0}) {
    double sum = 0;
    double squares = 0;
    constexpr int draws = 20000;
    RandomStream stream(1, "beta");
    for (int i = 0; i < draws; ++i) {
      const double x = draw_beta(alpha, stream);
      ASSERT_GE(x, 0);
      ASSERT_LE(x, 1);
      sum += x / draws;
      squares += (x - 0.5) * (x - 0.5) / draws;
    }
    // Five standard deviations of the means at most.
    EXPECT_NEAR(sum, 0.5, 0.018) << alpha;
    EXPECT_NEAR(squares, 1 / (4 * (2 * alpha + 1)), 0.006) << alpha;
  }
}

TEST(Mixing, MixupAveragesBothSamplesOfAPairTheOneWayAndTheOther) {
  const Mix mix{0.25};
  std::vector<float> a = numbered(0);
  std::vector<float> b = numbered(100);
  mix_pair(mix, kShape, a, b);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i], static_cast<float>(i) + 25);
    EXPECT_EQ(b[i], static_cast<float>(i) + 75);
  }
}

TEST(Mixing, CutMixExchangesTheRectangleInEveryChannel) {
  const Mix mix{0.25, true, 1, 2, 3, 4};
  std::vector<float> a = numbered(0);
  std::vector<float> b = numbered(1000);
  mix_pair(mix, kShape, a, b);
  for (std::int64_t c = 0; c < kShape.channels; ++c) {
    for (std::int64_t y = 0; y < kShape.height; ++y) {
      for (std::int64_t x = 0; x < kShape.width; ++x) {
        const bool inside = y >= 1 && y < 4 && x >= 2 && x < 6;
        const std::int64_t i = (c * kShape.height + y) * kShape.width + x;
        EXPECT_EQ(a[static_cast<std::size_t>(i)], static_cast<float>(i + (inside ? 1000 : 0)));
        EXPECT_EQ(b[static_cast<std::size_t>(i)], static_cast<float>(i + (inside ? 0 : 1000)));
      }
    }
  }
}

TEST(Mixing, DrawsSharesThatAreTheRectanglesAreaAndAtMostHalfForMixup) {
  int cuts = 0;
  double area = 0;
  constexpr int draws = 4000;
  for (std::uint64_t i = 0; i < draws; ++i) {
    const Mix mix = draw_mix({0.8, 1}, {3, 32, 32}, RandomStream(1, "mixing", i));
    if (!mix.cuts) {
      EXPECT_GE(mix.share, 0);
      EXPECT_LE(mix.share, 0.5);
      continue;
    }
    ++cuts;
    area += mix.share;
    EXPECT_GE(mix.top, 0);
    EXPECT_GE(mix.left, 0);
    EXPECT_GE(mix.height, 0);
    EXPECT_GE(mix.width, 0);
    EXPECT_LE(mix.top + mix.height, 32);
    EXPECT_LE(mix.left + mix.width, 32);
    EXPECT_EQ(mix.share, static_cast<double>(mix.height * mix.width) / 1024);
  }
  EXPECT_NEAR(static_cast<double>(cuts) / draws, 0.5, 0.04);
  // Of a side s of the edge a share 1 - s / 4 is left along each axis, in the mean over places:
  // with s * s uniform the area is 1/2 - 1/5 + 1/48.
  EXPECT_NEAR(area / cuts, 0.5 - 0.2 + 1.0 / 48, 0.03);
}

TEST(Mixing, OfOneKindIsAlwaysThat) {
  for (std::uint64_t i = 0; i < 100; ++i) {
    const RandomStream stream(1, "mixing", i);
    EXPECT_FALSE(draw_mix({0.2, 0}, kShape, stream).cuts);
    EXPECT_TRUE(draw_mix({0, 1}, kShape, stream).cuts);
  }
}

}  // namespace
}  // namespace gcg
