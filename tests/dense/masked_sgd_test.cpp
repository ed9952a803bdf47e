#include "dense/masked_sgd.h"

#include <gtest/gtest.h>

#include <bit>
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

}  // namespace
}  // namespace gcg
