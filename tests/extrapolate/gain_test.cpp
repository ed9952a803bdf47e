#include <gmock/gmock.h>

#include "extrapolate/trajectory.h"

namespace gcg {
namespace {

using testing::HasSubstr;

/// Stages at doubled densities, so that every line goes through two points exactly.
std::vector<CurvePoint> doublings(const std::vector<double>& accuracies, double first) {
  std::vector<CurvePoint> points;
  for (const double accuracy : accuracies) {
    points.push_back({first, accuracy, 1'000'000});
    first *= 2;
  }
  return points;
}

TEST(Gain, FindsTheFirstStageFromWhichDoublingsGainLessThanEpsilon) {
  const auto points = doublings({0.30, 0.50, 0.60, 0.604, 0.606}, 0.0625);
  const Extrapolation fit = extrapolate(points, options_for("gain", 0.005));
  EXPECT_EQ(fit.outcome, Outcome::found) << fit.note;
  EXPECT_EQ(fit.d_star, 0.25);
  EXPECT_NEAR(fit.parameters.at(0), 0.002, 1e-12);
  EXPECT_NEAR(fit.parameters.at(1), 0.606, 1e-12);
  EXPECT_TRUE(std::isnan(fit.accuracy_at_one));
  EXPECT_EQ(extrapolate(points, options_for("gain", 0.003)).d_star, 0.5);
  EXPECT_EQ(extrapolate(points, options_for("gain", 0.15)).d_star, 0.125);
}

TEST(Gain, MustStayBelowEpsilonToTheEnd) {
  // A pause between the second and the third stage is not the end.
  const auto points = doublings({0.30, 0.50, 0.501, 0.60, 0.601}, 0.03125);
  EXPECT_EQ(extrapolate(points, options_for("gain", 0.005)).d_star, 0.25);
}

TEST(Gain, OfAFlatTrajectoryIsFoundAtItsFirstStage) {
  const auto points = doublings({0.6, 0.6, 0.6, 0.6, 0.6}, 0.03125);
  const Extrapolation fit = extrapolate(points, options_for("gain", 0.005));
  EXPECT_EQ(fit.outcome, Outcome::found);
  EXPECT_EQ(fit.d_star, 0.03125);
}

TEST(Gain, StillAboveEpsilonIsUndeterminedAndAtTheDenseEndNeedsDense) {
  const std::vector<double> accuracies{0.3, 0.4, 0.5, 0.6, 0.7};
  const Extrapolation sparse =
      extrapolate(doublings(accuracies, 0.03125), options_for("gain", 0.005));
  EXPECT_EQ(sparse.outcome, Outcome::undetermined);
  EXPECT_TRUE(std::isnan(sparse.d_star));
  EXPECT_THAT(sparse.note, HasSubstr("the last doubling gains 0.1000"));
  const Extrapolation dense =
      extrapolate(doublings(accuracies, 0.0625), options_for("gain", 0.005));
  EXPECT_EQ(dense.outcome, Outcome::needs_dense);
  EXPECT_EQ(dense.d_star, 1);
}

TEST(Gain, IsAWeightedRegressionOverOneDoubling) {
  // Exactly one doubling: one line, through all five stages, by the normal equations.
  std::vector<CurvePoint> points;
  const std::vector<double> densities{0.10, 0.12, 0.15, 0.18, 0.20};
  const std::vector<double> accuracies{0.5, 0.52, 0.51, 0.53, 0.55};
  const std::vector<std::int64_t> samples{1000, 2000, 3000, 4000, 5000};
  double w = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    points.push_back({densities[i], accuracies[i], samples[i]});
    const auto n = static_cast<double>(samples[i]);
    const double p = (n * accuracies[i] + 2) / (n + 4);
    const double weight = n / (p * (1 - p));
    const double x = std::log2(densities[i]);
    w += weight, wx += weight * x, wy += weight * accuracies[i];
    wxx += weight * x * x, wxy += weight * x * accuracies[i];
  }
  const double determinant = w * wxx - wx * wx;
  const Extrapolation fit = extrapolate(points, options_for("gain", 0.1));
  EXPECT_NEAR(fit.parameters.at(0), (w * wxy - wx * wy) / determinant, 1e-12);
  EXPECT_NEAR(fit.parameters.at(1), (wxx * wy - wx * wxy) / determinant, 1e-12);
  EXPECT_NEAR(fit.standard_error, std::sqrt(w / determinant), 1e-12);
  EXPECT_GT(fit.chi_square, 0);
}

TEST(Gain, IsNotResolvableBelowItsStandardError) {
  auto points = doublings({0.30, 0.50, 0.60, 0.604, 0.606}, 0.0625);
  for (CurvePoint& point : points) {
    point.samples = 1000;
  }
  const Extrapolation fit = extrapolate(points, options_for("gain", 0.005));
  EXPECT_EQ(fit.outcome, Outcome::not_resolvable);
  EXPECT_NEAR(fit.standard_error, std::sqrt(2 * 0.239 / 1000), 1e-4);
}

TEST(Gain, NeedsADoublingOfDensity) {
  const auto points = curve_points("gain", {0.1, 0.7}, growing_densities(0.1, 0.15, 0.05), 1000);
  const Extrapolation fit = extrapolate(points, options_for("gain", 0.05));
  EXPECT_EQ(fit.outcome, Outcome::undetermined);
  EXPECT_THAT(fit.note, HasSubstr("less than one doubling"));
}

TEST(Gain, TakesARelativeEpsilonOfTheLastAccuracyAboveChance) {
  ExtrapolationOptions options = options_for("gain", 0.01);
  options.epsilon_relative = true;
  const auto points = doublings({0.30, 0.50, 0.60, 0.604, 0.606}, 0.0625);
  EXPECT_NEAR(extrapolate(points, options).epsilon, 0.00506, 1e-12);
  const Extrapolation guessing =
      extrapolate(doublings({0.1, 0.1, 0.1, 0.1, 0.09}, 0.0625), options);
  EXPECT_EQ(guessing.outcome, Outcome::undetermined);
  EXPECT_EQ(guessing.note, "the last accuracy is not above chance");
}

}  // namespace
}  // namespace gcg
