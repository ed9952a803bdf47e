#include "extrapolate/replay.h"

#include <gmock/gmock.h>

#include "extrapolate/trajectory.h"

namespace gcg {
namespace {

TEST(Replay, DecidesAfterEveryStageAsIfTheLaterOnesDidNotExist) {
  const auto points =
      curve_points("logistic", {0.7, 2, 0.05}, growing_densities(0.05, 1, 0.4), 5000);
  const ExtrapolationOptions options = options_for("logistic", 0.02);
  const Replay whole = replay(points, options, 1);
  ASSERT_EQ(whole.fits.size(), points.size());
  ASSERT_GE(whole.stop, 5);  // two fits, the first after five stages
  EXPECT_EQ(whole.reason, StopReason::reached_d_star);
  for (std::size_t stages = 1; stages <= points.size(); ++stages) {
    const Replay part = replay(std::span(points).first(stages), options, 1);
    const bool stopped = static_cast<std::int64_t>(stages) > whole.stop;
    EXPECT_EQ(part.stop, stopped ? whole.stop : -1) << stages;
    EXPECT_EQ(part.fits.back().outcome, whole.fits[stages - 1].outcome);
  }
  const auto stop = static_cast<std::size_t>(whole.stop);
  EXPECT_GE(points[stop].density, whole.fits[stop].d_star);
  EXPECT_GE(points[stop - 1].density, whole.fits[stop - 1].d_star);
}

TEST(Replay, ACurveThatStillRisesGoesOnToTheLargestDensity) {
  auto points = curve_points("logistic", {0.9, 1, 0.6}, growing_densities(0.05, 0.8, 0.4), 5000);
  const ExtrapolationOptions options = options_for("logistic", 0.005);
  EXPECT_EQ(replay(points, options, 1).stop, -1);
  EXPECT_EQ(replay(points, options, 1).reason, StopReason::none);
  const double last = points.back().density;
  EXPECT_EQ(replay(points, options, last).reason, StopReason::reached_d_max);
  EXPECT_EQ(replay(points, options, last).stop, std::ssize(points) - 1);
}

TEST(Replay, OfNoStagesDecidesNothing) {
  const Replay none = replay({}, options_for("logistic", 0.02), 1);
  EXPECT_TRUE(none.fits.empty());
  EXPECT_EQ(none.stop, -1);
}

TEST(TrueDStar, IsWhereTheCurveIsEpsilonBelowItsEnd) {
  for (const TrueCurve& curve :
       {TrueCurve{"logistic", {0.67, 1.8, 0.055}}, TrueCurve{"power", {0.72, 0.025, 0.9}},
        TrueCurve{"exponential", {0.66, 0.09}}}) {
    const auto evaluate = find_extrapolator(curve.extrapolator).evaluate;
    const double d_star = true_d_star(curve, 0.02, 0.1);
    EXPECT_NEAR(evaluate(1, curve.parameters, 0.1) - evaluate(d_star, curve.parameters, 0.1), 0.02,
                1e-12);
  }
}

TEST(SimulatedCoverage, OfTheRightFamilyIsNearTheLevelAndOfAWrongOneLower) {
  ExtrapolationOptions options = options_for("logistic", 0.03);
  options.bootstrap = 100;
  const auto densities = growing_densities(0.05, 0.8);
  const Coverage right =
      simulate_coverage({"logistic", {0.67, 1.8, 0.055}}, densities, 20'000, options, 60);
  EXPECT_EQ(right.trials, 60);
  EXPECT_GE(right.found, 57);
  EXPECT_GE(right.covered, 0.8 * static_cast<double>(right.intervals));
  EXPECT_LT(right.log_error, 0.2);
  // A power law has no plateau: a logistic sees one too early, and surely so.
  const Coverage wrong =
      simulate_coverage({"power", {0.72, 0.025, 0.9}}, densities, 20'000, options, 60);
  EXPECT_LT(wrong.covered, 0.5 * static_cast<double>(wrong.intervals));
  EXPECT_LT(wrong.log_bias, -0.1);
}

TEST(SimulatedCoverage, IsRepeatable) {
  ExtrapolationOptions options = options_for("exponential", 0.02);
  options.bootstrap = 20;
  const TrueCurve truth{"exponential", {0.66, 0.09}};
  const auto densities = growing_densities(0.05, 0.8, 0.4);
  const Coverage a = simulate_coverage(truth, densities, 1613, options, 20);
  const Coverage b = simulate_coverage(truth, densities, 1613, options, 20);
  EXPECT_EQ(a.covered, b.covered);
  EXPECT_EQ(a.log_error, b.log_error);
}

}  // namespace
}  // namespace gcg
