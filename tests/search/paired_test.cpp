#include "search/paired.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "base/throws.h"

namespace gcg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(PairedLoss, IsTheMeanOfTheDifferencesWithItsError) {
  const std::vector<float> left{1, 2, 3, 6};
  const std::vector<float> right{1, 1, 1, 1};
  // Differences 0, 1, 2, 5: mean 2, mean square of the rest (4 + 1 + 0 + 9) / 4.
  const PairedDifference difference = paired_loss(left, right);
  EXPECT_DOUBLE_EQ(difference.mean, 2);
  EXPECT_DOUBLE_EQ(difference.error, std::sqrt(3.5 / 4));
  const PairedDifference turned = paired_loss(right, left);
  EXPECT_DOUBLE_EQ(turned.mean, -2);
  EXPECT_DOUBLE_EQ(turned.error, difference.error);
}

TEST(PairedLoss, OfIdenticalPredictionsIsExactlyNothing) {
  const std::vector<float> losses{0.1F, 2.7F, 0.3F};
  const PairedDifference difference = paired_loss(losses, losses);
  EXPECT_EQ(difference.mean, 0);
  EXPECT_EQ(difference.error, 0);
}

TEST(PairedLoss, AConstantDifferenceHasNoError) {
  const std::vector<float> left{1.5F, 2.5F, 0.5F};
  const std::vector<float> right{1, 2, 0};
  EXPECT_EQ(paired_loss(left, right).mean, 0.5);
  EXPECT_EQ(paired_loss(left, right).error, 0);
}

TEST(PairedLoss, RefusesWhatIsNotOfTheSameImages) {
  const std::vector<float> two{1, 2};
  const std::vector<float> three{1, 2, 3};
  const std::vector<float> broken{1, std::numeric_limits<float>::quiet_NaN()};
  GCG_EXPECT_ERROR(paired_loss(two, three), HasSubstr("2 samples on the left, 3 on the right"));
  GCG_EXPECT_ERROR(paired_loss({}, {}), HasSubstr("0 samples"));
  GCG_EXPECT_ERROR(paired_loss(two, broken), HasSubstr("sample 1 are 2 and nan"));
}

TEST(PairedAccuracy, FollowsFromTheImagesThatOneSideAloneGetsRight) {
  const PairedDifference difference = paired_accuracy(30, 20, 1000);
  EXPECT_DOUBLE_EQ(difference.mean, 0.01);
  EXPECT_DOUBLE_EQ(difference.error, std::sqrt(0.05 - 0.0001) / std::sqrt(1000.0));
  EXPECT_EQ(paired_accuracy(0, 0, 1000).mean, 0);
  EXPECT_EQ(paired_accuracy(0, 0, 1000).error, 0);
  EXPECT_EQ(paired_accuracy(1000, 0, 1000).mean, 1);
  EXPECT_EQ(paired_accuracy(1000, 0, 1000).error, 0);
}

TEST(PairedAccuracy, IsThePairedDifferenceOfHits) {
  RandomStream random(7, "hits");
  std::vector<bool> left;
  std::vector<bool> right;
  std::vector<float> left_values;
  std::vector<float> right_values;
  for (int i = 0; i < 500; ++i) {
    left.push_back(random.uniform() < 0.7);
    right.push_back(random.uniform() < 0.6);
    left_values.push_back(left.back() ? 1.0F : 0.0F);
    right_values.push_back(right.back() ? 1.0F : 0.0F);
  }
  const PairedDifference counts = paired_accuracy(left, right);
  const PairedDifference values = paired_loss(left_values, right_values);
  EXPECT_NEAR(counts.mean, values.mean, 1e-15);
  EXPECT_NEAR(counts.error, values.error, 1e-15);
}

TEST(PairedAccuracy, RefusesImpossibleCounts) {
  GCG_EXPECT_ERROR(paired_accuracy(-1, 0, 10), HasSubstr("-1 and 0 of 10"));
  GCG_EXPECT_ERROR(paired_accuracy(6, 5, 10), HasSubstr("6 and 5 of 10"));
  GCG_EXPECT_ERROR(paired_accuracy(0, 0, 0), HasSubstr("of 0 samples"));
}

TEST(AsGoodAs, HoldsTheBestAndWhatTheImagesDoNotTellFromIt) {
  RandomStream random(3, "losses");
  std::vector<float> best;
  std::vector<float> near;
  std::vector<float> far;
  for (int i = 0; i < 400; ++i) {
    best.push_back(static_cast<float>(random.uniform()));
    near.push_back(best.back() + 0.2F * static_cast<float>(random.normal()));
    far.push_back(best.back() + 0.2F * static_cast<float>(random.normal()) + 0.1F);
  }
  const std::vector<std::span<const float>> losses{far, near, best};
  const PairedDifference gap = paired_loss(near, best);
  ASSERT_LT(gap.mean, kOneSided * gap.error);
  EXPECT_THAT(as_good_as(losses, 2), ElementsAre(1, 2));
  // A wide enough test takes all of them.
  EXPECT_THAT(as_good_as(losses, 2, 1000), ElementsAre(0, 1, 2));
}

// Losses of two networks on the same images: skewed, of one another dependent. The interval mean +-
// 1.96 SE has to hold the true difference in 95 % of data sets, within half a point.
TEST(PairedIntervals, HoldTheTrueDifferenceAsOftenAsTheySay) {
  constexpr int kTrials = 40000;
  constexpr int kImages = 400;
  RandomStream random(20260101, "paired-coverage");
  int losses_cover = 0;
  int hits_cover = 0;
  std::vector<float> left(kImages);
  std::vector<float> right(kImages);
  for (int trial = 0; trial < kTrials; ++trial) {
    std::int64_t only_left = 0;
    std::int64_t only_right = 0;
    for (int i = 0; i < kImages; ++i) {
      // Exponential difficulty, common to both, and a part of each one's own: means 1.5 and 1.7.
      const double common = -std::log(random.uniform_open());
      left[i] = static_cast<float>(common - 0.5 * std::log(random.uniform_open()));
      right[i] = static_cast<float>(common - 0.7 * std::log(random.uniform_open()));
      // Right on one side alone: 12 % and 8 %.
      const double lot = random.uniform();
      only_left += lot < 0.12 ? 1 : 0;
      only_right += lot >= 0.12 && lot < 0.2 ? 1 : 0;
    }
    const PairedDifference losses = paired_loss(left, right);
    losses_cover += std::abs(losses.mean + 0.2) <= 1.96 * losses.error ? 1 : 0;
    const PairedDifference hits = paired_accuracy(only_left, only_right, kImages);
    hits_cover += std::abs(hits.mean - 0.04) <= 1.96 * hits.error ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(losses_cover) / kTrials, 0.95, 0.005);
  EXPECT_NEAR(static_cast<double>(hits_cover) / kTrials, 0.95, 0.005);
}

}  // namespace
}  // namespace gcg
