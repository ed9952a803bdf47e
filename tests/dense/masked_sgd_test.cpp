#include "dense/masked_sgd.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace gcg {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(MaskedSgd, SelectionReplacesWhateverStoodThereByZeroBits) {
  std::vector<float> values{1.5F, -1.5F, -0.0F, kNan, kInfinity, -0.0F, 2.0F};
  select(values, std::vector<std::int32_t>{-1, 0, 0, 0, 0, -1, -1});
  const std::vector<float> expected{1.5F, 0.0F, 0.0F, 0.0F, 0.0F, -0.0F, 2.0F};
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(values[i]), std::bit_cast<std::uint32_t>(expected[i]))
        << i;
  }
}

// Powers of two throughout: every number below is exact.
TEST(MaskedSgd, UpdatesByHeavyBallMomentum) {
  std::vector<float> values{2.0F, -1.0F};
  std::vector<float> momentum{4.0F, 0.0F};
  sgd_update(values, momentum, std::vector<float>{1.0F, 0.5F}, {0.25, 0.5, false, 0.5});
  // g = 1 + 0.5 * 2 = 2, m = 0.5 * 4 + 2 = 4;  g = 0.5 - 0.5 = 0, m = 0.
  EXPECT_EQ(momentum, (std::vector<float>{4.0F, 0.0F}));
  EXPECT_EQ(values, (std::vector<float>{1.0F, -1.0F}));
}

TEST(MaskedSgd, UpdatesByNesterovMomentum) {
  std::vector<float> values{2.0F, -1.0F};
  std::vector<float> momentum{4.0F, 2.0F};
  sgd_update(values, momentum, std::vector<float>{1.0F, 0.5F}, {0.25, 0.5, true, 0.5});
  // g = 2, m = 4, g + 0.5 m = 4;  g = 0, m = 1, g + 0.5 m = 0.5.
  EXPECT_EQ(momentum, (std::vector<float>{4.0F, 1.0F}));
  EXPECT_EQ(values, (std::vector<float>{1.0F, -1.125F}));
}

TEST(MaskedSgd, KeepsZeroBitsWhateverTheStep) {
  for (const double rate : {0.0, 0.1, -0.1}) {
    for (const double keep : {0.0, 0.9}) {
      for (const bool nesterov : {false, true}) {
        for (const double decay : {0.0, 0.5, -0.5}) {
          std::vector<float> values{0.0F};
          std::vector<float> momentum{0.0F};
          sgd_update(values, momentum, std::vector<float>{0.0F}, {rate, keep, nesterov, decay});
          EXPECT_EQ(std::bit_cast<std::uint32_t>(values[0]), 0U)
              << rate << ' ' << keep << ' ' << decay;
          EXPECT_EQ(std::bit_cast<std::uint32_t>(momentum[0]), 0U)
              << rate << ' ' << keep << ' ' << decay;
        }
      }
    }
  }
}

// beta 1/2, epsilon 1/4: first update m = g / 2, v = g^2 / 2, corrected g and |g|.
TEST(AdamWUpdate, IsTheTextbooksForNumbersWithoutRounding) {
  std::vector<float> values{2.0F, 1.0F};
  std::vector<float> momentum{0.0F, 0.0F};
  std::vector<float> squares{0.0F, 0.0F};
  const AdamWStep step{0.5, 0.5, 0.5, 0.25, 0.25};
  adamw_update(values, momentum, squares, std::vector<float>{0.75F, -0.75F}, step, 1);
  EXPECT_EQ(momentum, (std::vector<float>{0.375F, -0.375F}));
  EXPECT_EQ(squares, (std::vector<float>{0.28125F, 0.28125F}));
  // 2 - 0.5 (0.75 / (0.75 + 0.25) + 0.25 * 2) and 1 - 0.5 (-0.75 + 0.25).
  EXPECT_NEAR(values[0], 1.375, 1e-6);
  EXPECT_NEAR(values[1], 1.25, 1e-6);
}

TEST(AdamWUpdate, FollowsTheFormulaOverManyUpdates) {
  const AdamWStep step{0.01, 0.9, 0.999, 0.05};
  std::vector<float> value{0.5F};
  std::vector<float> momentum{0.0F};
  std::vector<float> squares{0.0F};
  double w = 0.5;
  double m = 0;
  double v = 0;
  for (int t = 1; t <= 200; ++t) {
    const float gradient = static_cast<float>(std::sin(t));
    adamw_update(value, momentum, squares, std::span(&gradient, 1), step, t);
    const double g = static_cast<double>(gradient);
    m = step.beta1 * m + (1 - step.beta1) * g;
    v = step.beta2 * v + (1 - step.beta2) * g * g;
    w -= step.learning_rate * (m / (1 - std::pow(step.beta1, t)) /
                                   (std::sqrt(v / (1 - std::pow(step.beta2, t))) + step.epsilon) +
                               step.weight_decay * w);
    ASSERT_NEAR(value[0], w, 1e-5) << t;
  }
}

TEST(AdamWUpdate, LeavesPositiveZerosAlone) {
  for (const std::int64_t update : {1, 1000000}) {
    std::vector<float> value{0.0F};
    std::vector<float> momentum{0.0F};
    std::vector<float> squares{0.0F};
    adamw_update(value, momentum, squares, std::vector<float>{0.0F}, {0.1, 0.9, 0.999, 0.5},
                 update);
    for (const float number : {value[0], momentum[0], squares[0]}) {
      EXPECT_EQ(std::bit_cast<std::uint32_t>(number), 0U);
    }
  }
}

}  // namespace
}  // namespace gcg
