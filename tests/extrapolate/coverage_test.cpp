#include <gmock/gmock.h>

#include "extrapolate/trajectory.h"

namespace gcg {
namespace {

struct Simulation {
  std::string_view extrapolator;
  std::vector<double> parameters;
  double first = 0;
  double last = 0;
  std::int64_t samples = 0;
  double epsilon = 0;
};

class Coverage : public testing::TestWithParam<Simulation> {};

TEST_P(Coverage, OfTheTrueDStarByThe95PercentIntervalIsNearItsLevel) {
  const Simulation& s = GetParam();
  const double truth = bisected_d_star(s.extrapolator, s.parameters, s.epsilon);
  const auto curve =
      curve_points(s.extrapolator, s.parameters, growing_densities(s.first, s.last), s.samples);
  int intervals = 0;
  int covered = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    ExtrapolationOptions options = options_for(s.extrapolator, s.epsilon);
    options.bootstrap = 200;
    options.seed = seed;
    const Extrapolation fit = extrapolate(measured(curve, RandomStream(seed, "noise")), options);
    if (!std::isnan(fit.d_low)) {
      ++intervals;
      covered += fit.d_low <= truth && truth <= fit.d_high ? 1 : 0;
    }
  }
  RecordProperty("intervals", intervals);
  RecordProperty("covered", covered);
  EXPECT_GE(intervals, 190) << "seeds 0 to 199, stream \"noise\"";
  EXPECT_GE(covered, 0.85 * intervals) << covered << " of " << intervals;
  EXPECT_LT(covered, intervals);  // an interval that always covers would say nothing
}

INSTANTIATE_TEST_SUITE_P(
    Curves, Coverage,
    testing::Values(Simulation{"logistic", {0.65, 1.2, 0.05}, 0.05, 0.7, 5000, 0.02},
                    Simulation{"power", {0.75, 0.02, 0.8}, 0.03, 0.8, 10'000, 0.02},
                    Simulation{"exponential", {0.75, 0.1}, 0.02, 0.6, 10'000, 0.01}),
    [](const auto& instance) {
      return std::string(instance.param.extrapolator) + std::to_string(instance.index);
    });

}  // namespace
}  // namespace gcg
