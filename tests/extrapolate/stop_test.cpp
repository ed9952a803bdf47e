#include <gmock/gmock.h>

#include "base/error.h"
#include "extrapolate/trajectory.h"

namespace gcg {
namespace {

Extrapolation fit_of(Outcome outcome, double d_star) {
  Extrapolation fit;
  fit.outcome = outcome;
  fit.d_star = d_star;
  return fit;
}

const Extrapolation kNone = fit_of(Outcome::too_few_stages, std::nan(""));

std::vector<CurvePoint> stages(const std::vector<double>& densities) {
  std::vector<CurvePoint> points;
  for (const double d : densities) {
    points.push_back({d, 0.5, 1000});
  }
  return points;
}

TEST(StopReason, NeedsTwoConsecutiveFitsThatAreReached) {
  const Extrapolation at_02 = fit_of(Outcome::found, 0.2);
  const Extrapolation at_05 = fit_of(Outcome::found, 0.5);
  using Fits = std::vector<Extrapolation>;
  EXPECT_EQ(stop_reason(stages({0.1, 0.2}), Fits{at_02, at_02}, 1), StopReason::none);
  EXPECT_EQ(stop_reason(stages({0.2, 0.3}), Fits{at_02, at_02}, 1), StopReason::reached_d_star);
  EXPECT_EQ(stop_reason(stages({0.3}), Fits{at_02}, 1), StopReason::none);
  // Each stage is held against its own fit.
  EXPECT_EQ(stop_reason(stages({0.2, 0.3, 0.4}), Fits{at_02, at_05, at_02}, 1), StopReason::none);
  EXPECT_EQ(stop_reason(stages({0.3, 0.4, 0.5}), Fits{at_05, at_02, at_05}, 1),
            StopReason::reached_d_star);
}

TEST(StopReason, IgnoresFitsWithoutADStar) {
  const Extrapolation found = fit_of(Outcome::found, 0.1);
  for (const Outcome outcome :
       {Outcome::too_few_stages, Outcome::not_resolvable, Outcome::undetermined}) {
    SCOPED_TRACE(name_of(outcome));
    // Whatever number such a fit carries.
    const Extrapolation other = fit_of(outcome, 0.1);
    EXPECT_EQ(stop_reason(stages({0.3, 0.4}), std::vector{found, other}, 1), StopReason::none);
    EXPECT_EQ(stop_reason(stages({0.3, 0.4}), std::vector{other, found}, 1), StopReason::none);
    EXPECT_EQ(stop_reason(stages({0.3, 0.4}), std::vector{other, other}, 1), StopReason::none);
  }
}

TEST(StopReason, GrowsToTheDenseNetworkWhereItIsNeeded) {
  const Extrapolation dense = fit_of(Outcome::needs_dense, 1);
  EXPECT_EQ(stop_reason(stages({0.8, 0.99}), std::vector{dense, dense}, 1), StopReason::none);
  EXPECT_EQ(stop_reason(stages({0.8, 1.0}), std::vector{dense, dense}, 1),
            StopReason::reached_d_max);
}

TEST(StopReason, IsDMaxOnceTheDensityReachesIt) {
  EXPECT_EQ(stop_reason(stages({0.3, 0.4}), std::vector{kNone, kNone}, 0.4),
            StopReason::reached_d_max);
  EXPECT_EQ(stop_reason(stages({0.3, 0.4}), std::vector{kNone, kNone}, 0.41), StopReason::none);
  const Extrapolation found = fit_of(Outcome::found, 0.2);
  EXPECT_EQ(stop_reason(stages({0.3, 0.4}), std::vector{found, found}, 0.4),
            StopReason::reached_d_star);
  EXPECT_EQ(stop_reason({}, {}, 0.4), StopReason::none);
}

TEST(StopReason, ReplaysARecordedTrajectory) {
  const auto points =
      measured(curve_points("logistic", {0.7, 2, 0.06}, growing_densities(0.02, 1), 10'000),
               RandomStream(3, "noise"));
  const ExtrapolationOptions options = options_for("logistic", 0.02);
  std::vector<Extrapolation> fits;
  std::vector<StopReason> live;
  for (std::size_t n = 1; n <= points.size(); ++n) {
    const auto so_far = std::span(points).first(n);
    fits.push_back(extrapolate(so_far, options));
    live.push_back(stop_reason(so_far, fits, 1));
  }
  std::size_t stop = 0;
  while (stop < live.size() && live[stop] == StopReason::none) {
    ++stop;
  }
  ASSERT_LT(stop, points.size());
  EXPECT_EQ(live[stop], StopReason::reached_d_star);
  // d* is 0.306 on the true curve: the second stage from there on, or nearly so.
  EXPECT_GT(points[stop].density, 0.25);
  EXPECT_LT(points[stop].density, 0.6);
  for (std::size_t n = 1; n <= points.size(); ++n) {
    EXPECT_EQ(stop_reason(std::span(points).first(n), std::span(fits).first(n), 1), live[n - 1]);
  }
}

TEST(StopReason, OfMismatchedArgumentsIsAnError) {
  EXPECT_THROW(stop_reason(stages({0.3}), {}, 1), Error);
  EXPECT_THROW(stop_reason({}, {}, 0), Error);
  EXPECT_THROW(stop_reason({}, {}, 1.1), Error);
  EXPECT_THROW(stop_reason({}, {}, std::nan("")), Error);
}

}  // namespace
}  // namespace gcg
