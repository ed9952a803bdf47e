#include "backend/optimiser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "backend/random_cases.h"
#include "base/throws.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

/// An array under an optimiser.
struct Trained {
  std::vector<float> values;
  std::vector<std::vector<float>> slots =
      std::vector<std::vector<float>>(kMostSlots, std::vector<float>(values.size(), 0.0F));
  ParameterKind kind = ParameterKind::weight;

  void update(const OptimiserStep& step, const std::vector<float>& gradient,
              std::int64_t number = 1) {
    ArrayUpdate array{kind, values, gradient, {}, number};
    for (std::size_t s = 0; s < kMostSlots; ++s) {
      array.slots[s] = slots[s];
    }
    step.optimiser->update(step, array);
  }
};

OptimiserStep adamw_step(double rate, double beta1, double beta2, double decay) {
  OptimiserSettings settings;
  settings.numbers["beta1"] = beta1;
  settings.numbers["beta2"] = beta2;
  settings.numbers["weight-decay"] = decay;
  return make_step("adamw", rate, settings);
}

OptimiserStep lars_step(double rate, double momentum, double trust, double decay) {
  OptimiserSettings settings;
  settings.numbers["momentum"] = momentum;
  settings.numbers["trust"] = trust;
  settings.numbers["weight-decay"] = decay;
  return make_step("lars", rate, settings);
}

constexpr std::array kKinds{ParameterKind::weight, ParameterKind::bias, ParameterKind::norm,
                            ParameterKind::token};

TEST(OptimiserTable, HasRoomForAllOptionsAndSlotsAndSharesOptionsOfOneName) {
  std::map<std::string_view, OptimiserOption> seen;
  for (const Optimiser& optimiser : optimiser_table()) {
    SCOPED_TRACE(optimiser.name);
    EXPECT_LE(optimiser.options.size(), kMostOptions);
    EXPECT_LE(optimiser.slots.size(), kMostSlots);
    EXPECT_EQ(&find_optimiser(optimiser.name), &optimiser);
    EXPECT_FALSE(optimiser.about.empty());
    for (const OptimiserOption& option : optimiser.options) {
      const auto [found, fresh] = seen.emplace(option.name, option);
      EXPECT_EQ(found->second.by_default, option.by_default);
      EXPECT_EQ(found->second.range.low, option.range.low);
      EXPECT_EQ(found->second.range.high, option.range.high);
      EXPECT_EQ(found->second.is_switch, option.is_switch);
    }
    EXPECT_NO_THROW(check_step(default_step(optimiser.name)));
  }
  GCG_EXPECT_ERROR(find_optimiser("adagrad"), HasSubstr("none of: sgd, adamw, lars"));
}

struct EveryOptimiser : ::testing::TestWithParam<Optimiser> {};

TEST_P(EveryOptimiser, KeepsZeroBitsWhateverTheOtherElementsAre) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float other : {1.5F, -0.0F, std::numeric_limits<float>::quiet_NaN(), infinity}) {
    for (const double rate : {0.0, 0.1, -0.1}) {
      for (const double decay : {0.0, 0.5}) {
        for (const ParameterKind kind : kKinds) {
          OptimiserSettings settings;
          settings.numbers["weight-decay"] = decay;
          Trained trained{{other, 0.0F}};
          trained.kind = kind;
          for (const std::int64_t number : {1, 2, 1000000}) {
            trained.update(make_step(GetParam().name, rate, settings), {other, 0.0F}, number);
          }
          EXPECT_EQ(std::bit_cast<std::uint32_t>(trained.values[1]), 0U) << other << ' ' << rate;
          for (const std::vector<float>& slot : trained.slots) {
            EXPECT_EQ(std::bit_cast<std::uint32_t>(slot[1]), 0U) << other << ' ' << rate;
          }
        }
      }
    }
  }
}

TEST_P(EveryOptimiser, DescendsAndUsesItsSlotsAlone) {
  // f = w^2 / 2, from both sides.
  Trained trained{{1.0F, -2.0F}};
  for (std::int64_t t = 1; t <= 50; ++t) {
    const std::vector<float> gradient = trained.values;
    trained.update(default_step(GetParam().name, 0.01), gradient, t);
  }
  EXPECT_LT(std::abs(trained.values[0]), 1);
  EXPECT_LT(std::abs(trained.values[1]), 2);
  for (std::size_t s = 0; s < kMostSlots; ++s) {
    EXPECT_EQ(trained.slots[s][0] != 0, s < GetParam().slots.size());
  }
}

TEST_P(EveryOptimiser, RefusesNumbersOutOfTheirRange) {
  const double infinity = std::numeric_limits<double>::infinity();
  GCG_EXPECT_ERROR(check_step(default_step(GetParam().name, infinity)), HasSubstr("finite"));
  for (const OptimiserOption& option : GetParam().options) {
    for (const double bad : {std::numeric_limits<double>::quiet_NaN(), -1.0, infinity}) {
      OptimiserStep step = default_step(GetParam().name);
      step.values[static_cast<std::size_t>(&option - GetParam().options.data())] = bad;
      GCG_EXPECT_ERROR(check_step(step), HasSubstr(std::string(option.name)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Table, EveryOptimiser, ::testing::ValuesIn(optimiser_table()),
                         [](const auto& row) { return std::string(row.param.name); });

// Powers of two throughout: every number below is exact.
TEST(Sgd, UpdatesByHeavyBallMomentum) {
  Trained trained{{2.0F, -1.0F}};
  trained.slots[0] = {4.0F, 0.0F};
  trained.update(sgd_step(0.25, 0.5, false, 0.5), {1.0F, 0.5F});
  // g = 1 + 0.5 * 2 = 2, m = 0.5 * 4 + 2 = 4;  g = 0.5 - 0.5 = 0, m = 0.
  EXPECT_EQ(trained.slots[0], (std::vector<float>{4.0F, 0.0F}));
  EXPECT_EQ(trained.values, (std::vector<float>{1.0F, -1.0F}));
}

TEST(Sgd, UpdatesByNesterovMomentum) {
  Trained trained{{2.0F, -1.0F}};
  trained.slots[0] = {4.0F, 2.0F};
  trained.update(sgd_step(0.25, 0.5, true, 0.5), {1.0F, 0.5F});
  // g = 2, m = 4, g + 0.5 m = 4;  g = 0, m = 1, g + 0.5 m = 0.5.
  EXPECT_EQ(trained.slots[0], (std::vector<float>{4.0F, 1.0F}));
  EXPECT_EQ(trained.values, (std::vector<float>{1.0F, -1.125F}));
}

TEST(Sgd, DecaysEverything) {
  for (const ParameterKind kind : kKinds) {
    Trained trained{{2.0F}};
    trained.kind = kind;
    trained.update(sgd_step(0.25, 0, false, 0.5), {0.0F});
    EXPECT_EQ(trained.values[0], 1.75F);
  }
}

TEST(AdamW, FirstUpdateHasTheSizeOfTheLearningRate) {
  Trained trained{{2.0F, 1.0F}};
  trained.update(adamw_step(0.5, 0.5, 0.5, 0.25), {0.75F, -0.75F});
  EXPECT_EQ(trained.slots[0], (std::vector<float>{0.375F, -0.375F}));
  EXPECT_EQ(trained.slots[1], (std::vector<float>{0.28125F, 0.28125F}));
  // 2 - 0.5 (1 + 0.25 * 2) and 1 - 0.5 (-1 + 0.25).
  EXPECT_NEAR(trained.values[0], 1.25, 1e-6);
  EXPECT_NEAR(trained.values[1], 1.375, 1e-6);
}

TEST(AdamW, FollowsTheFormulaOverManyUpdates) {
  const OptimiserStep step = adamw_step(0.01, 0.9, 0.999, 0.05);
  Trained trained{{0.5F}};
  double w = 0.5;
  double m = 0;
  double v = 0;
  for (int t = 1; t <= 200; ++t) {
    const auto gradient = static_cast<float>(std::sin(t));
    trained.update(step, {gradient}, t);
    const double g = static_cast<double>(gradient);
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    w -= 0.01 *
         (m / (1 - std::pow(0.9, t)) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8) + 0.05 * w);
    ASSERT_NEAR(trained.values[0], w, 1e-5) << t;
  }
}

TEST(AdamW, DecaysWeightsAlone) {
  for (const ParameterKind kind : kKinds) {
    Trained trained{{2.0F}};
    trained.kind = kind;
    trained.update(adamw_step(0.25, 0.5, 0.5, 0.5), {0.0F});
    EXPECT_EQ(trained.values[0], kind == ParameterKind::weight ? 1.75F : 2.0F);
  }
}

TEST(Lars, ScalesTheRateOfALayerByItsNorms) {
  // |w| = 5, |g| = 10: ratio 0.5 * 5 / (10 + 2 * 5) = 1 / 8.
  Trained trained{{3.0F, -4.0F}};
  trained.slots[0] = {1.0F, 0.0F};
  trained.update(lars_step(0.5, 0.5, 0.5, 2), {-6.0F, 8.0F});
  // g + 2 w = 0, so m = 0.5 * 1 and 0.
  EXPECT_EQ(trained.slots[0], (std::vector<float>{0.5F, 0.0F}));
  EXPECT_EQ(trained.values, (std::vector<float>{2.5F, -4.0F}));
  trained.values = {3.0F, -4.0F};
  trained.slots[0] = {0.0F, 0.0F};
  trained.update(lars_step(0.5, 0.5, 0.5, 0), {-6.0F, 8.0F});  // ratio 0.5 * 5 / 10
  EXPECT_EQ(trained.slots[0], (std::vector<float>{-0.75F, 1.0F}));
  EXPECT_EQ(trained.values, (std::vector<float>{3.75F, -5.0F}));
}

TEST(Lars, TakesThePlainRateWhereThereIsNoRatio) {
  for (const ParameterKind kind : kKinds) {
    Trained trained{{0.0F, 0.0F}};  // no norm
    trained.kind = kind;
    trained.update(lars_step(0.5, 0, 0.5, 2), {1.0F, -2.0F});
    EXPECT_EQ(trained.values, (std::vector<float>{-0.5F, 1.0F}));
    if (kind != ParameterKind::weight) {
      trained.values = {4.0F, 8.0F};  // neither decay nor ratio
      trained.update(lars_step(0.5, 0, 0.5, 2), {1.0F, -2.0F});
      EXPECT_EQ(trained.values, (std::vector<float>{3.5F, 9.0F}));
    }
  }
}

}  // namespace
}  // namespace gcg
