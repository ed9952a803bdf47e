#include "backend/softmax_loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace gcg {
namespace {

TEST(SoftmaxLoss, SumsOverSamplesAndDividesTheGradientByTheirNumber) {
  const float third = std::log(3.0F);
  const std::vector<float> logits{0.0F, third, third, 0.0F};
  const std::vector<std::int32_t> labels{0, 0};
  std::vector<float> gradient(4);
  std::vector<std::int32_t> predictions(2);
  std::vector<float> losses(2);
  const BatchSums sums = softmax_loss(logits, {labels}, gradient, {predictions, losses});
  // Probabilities (1/4, 3/4) and (3/4, 1/4).
  EXPECT_NEAR(sums.loss, std::log(4.0) + std::log(4.0 / 3.0), 1e-6);
  EXPECT_NEAR(losses[0], std::log(4.0), 1e-6);
  EXPECT_NEAR(losses[1], std::log(4.0 / 3.0), 1e-6);
  EXPECT_EQ(sums.correct, 1);
  EXPECT_EQ(sums.samples, 2);
  EXPECT_EQ(predictions, (std::vector<std::int32_t>{1, 0}));
  const std::vector<float> expected{-0.375F, 0.375F, -0.125F, 0.125F};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(gradient[i], expected[i], 1e-6F) << i;
  }
}

TEST(SoftmaxLoss, SmoothingMovesAShareOfTheTargetToAllClasses) {
  const float third = std::log(3.0F);
  const std::vector<float> logits{0.0F, third};
  std::vector<float> gradient(2);
  const std::vector<std::int32_t> labels{0};
  const BatchSums sums = softmax_loss(logits, {labels, 0.2}, gradient, {});
  // Probabilities (1/4, 3/4), targets (0.9, 0.1).
  EXPECT_NEAR(sums.loss, 0.9 * std::log(4.0) + 0.1 * std::log(4.0 / 3.0), 1e-6);
  EXPECT_NEAR(gradient[0], 0.25 - 0.9, 1e-6);
  EXPECT_NEAR(gradient[1], 0.75 - 0.1, 1e-6);
  EXPECT_EQ(sums.correct, 0);
}

TEST(SoftmaxLoss, TheTargetOfAMixedSampleIsSharedByItsTwoLabelsBeforeItIsSmoothed) {
  const float half = std::log(2.0F);
  const std::vector<float> logits{0.0F, 0.0F, half};
  const std::vector<std::int32_t> labels{2};
  const std::vector<std::int32_t> seconds{0};
  std::vector<float> gradient(3);
  const BatchSums sums = softmax_loss(logits, {labels, 0.3, seconds, 0.25}, gradient, {});
  // Probabilities (1/4, 1/4, 1/2), targets 0.7 (1/4, 0, 3/4) + 0.1.
  EXPECT_NEAR(sums.loss, 0.275 * std::log(4.0) + 0.1 * std::log(4.0) + 0.625 * std::log(2.0), 1e-6);
  EXPECT_NEAR(gradient[0], 0.25 - 0.275, 1e-6);
  EXPECT_NEAR(gradient[1], 0.25 - 0.1, 1e-6);
  EXPECT_NEAR(gradient[2], 0.5 - 0.625, 1e-6);
  EXPECT_EQ(sums.correct, 1);  // by the first label alone
}

TEST(SoftmaxLoss, PredictsTheFirstOfEqualLogits) {
  std::vector<std::int32_t> predictions(1);
  const std::vector<std::int32_t> labels{2};
  const BatchSums sums =
      softmax_loss(std::vector<float>{1.0F, 2.0F, 2.0F}, {labels}, {}, {predictions});
  EXPECT_EQ(predictions[0], 1);
  EXPECT_EQ(sums.correct, 0);
}

TEST(SoftmaxLoss, NeitherOverflowsNorUnderflows) {
  std::vector<float> gradient(4);
  const std::vector<std::int32_t> labels{0, 1};
  const BatchSums sums =
      softmax_loss(std::vector<float>{3e38F, -3e38F, 1e4F, 0.0F}, {labels}, gradient, {});
  EXPECT_DOUBLE_EQ(sums.loss, 1e4);
  EXPECT_EQ(gradient, (std::vector<float>{0.0F, 0.0F, 0.5F, -0.5F}));
}

TEST(SoftmaxLoss, OfLogitsThatAreNotNumbersIsNotANumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::int32_t> labels{0};
  for (const std::vector<float>& logits :
       {std::vector<float>{nan, 0.0F}, std::vector<float>{0.0F, nan}}) {
    EXPECT_TRUE(std::isnan(softmax_loss(logits, {labels}, {}, {}).loss));
  }
}

}  // namespace
}  // namespace gcg
