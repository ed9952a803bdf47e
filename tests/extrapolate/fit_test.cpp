#include "extrapolate/fit.h"

#include <gmock/gmock.h>

#include "extrapolate/trajectory.h"

namespace gcg {
namespace {

TEST(AccuracyVariance, IsTheBinomialOneAtASmoothedAccuracy) {
  // (100 x 0.5 + 2) / 104 = 0.5
  EXPECT_DOUBLE_EQ(accuracy_variance({0.1, 0.5, 100}), 0.25 / 100);
  // (46 x 1 + 2) / 50 = 0.96
  EXPECT_NEAR(accuracy_variance({0.1, 1, 46}), 0.96 * 0.04 / 46, 1e-17);
  EXPECT_NEAR(accuracy_variance({0.1, 0, 46}), 0.96 * 0.04 / 46, 1e-17);
}

TEST(PropagatedError, IsTheQuadraticFormOfTheCovariance) {
  const std::vector<double> covariance{4, 1, 1, 9};
  EXPECT_DOUBLE_EQ(propagated_error(covariance, std::vector<double>{1, 0}), 2);
  EXPECT_DOUBLE_EQ(propagated_error(covariance, std::vector<double>{1, 2}), std::sqrt(44.0));
}

/// Chi-square of the logistic of these k and dh with the best A1 within [chance, 1], in closed
/// form.
double logistic_chi_square(const std::vector<CurvePoint>& points, double log_k, double log_half) {
  const auto share = [&](double d) {
    return 1 / (1 + std::exp(-std::exp(log_k) * (std::log(d) - log_half)));
  };
  double numerator = 0;
  double denominator = 0;
  for (const CurvePoint& point : points) {
    const double s = share(point.density);
    numerator += s * (point.accuracy - 0.1) / accuracy_variance(point);
    denominator += s * s / accuracy_variance(point);
  }
  const double height = std::clamp(numerator / denominator, 0.0, 0.9);
  double chi_square = 0;
  for (const CurvePoint& point : points) {
    const double residual = point.accuracy - 0.1 - height * share(point.density);
    chi_square += residual * residual / accuracy_variance(point);
  }
  return chi_square;
}

struct GridPoint {
  double chi_square = 1e300;
  double log_k = 0;
  double log_half = 0;
};

/// The best of a grid around a point.
GridPoint grid_search(const std::vector<CurvePoint>& points, const GridPoint& centre, double reach,
                      double step) {
  GridPoint best;
  for (double k = centre.log_k - reach; k <= centre.log_k + reach; k += step) {
    for (double half = centre.log_half - reach; half <= centre.log_half + reach; half += step) {
      const double chi_square = logistic_chi_square(points, k, half);
      if (chi_square < best.chi_square) {
        best = {chi_square, k, half};
      }
    }
  }
  return best;
}

TEST(FittedCurve, IsTheGlobalMinimumOfAGridSearch) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomStream random(seed, "truth");
    const double plateau = 0.4 + 0.6 * random.uniform();
    const double k = 0.8 + 4 * random.uniform();
    const double half = 0.02 + 0.15 * random.uniform();
    const auto points =
        measured(curve_points("logistic", {plateau, k, half}, growing_densities(0.03, 0.6), 1000),
                 random.at(1));
    const Extrapolation fit = extrapolate(points, options_for("logistic", 0.01));
    const GridPoint coarse = grid_search(points, {0, 0.5, -2}, 4, 0.1);
    const GridPoint fine = grid_search(points, coarse, 0.15, 0.005);
    EXPECT_LE(fit.chi_square, fine.chi_square + 1e-9);
    EXPECT_GT(fit.chi_square, fine.chi_square - 0.1);
    EXPECT_GT(fit.parameters.at(0), 0.1);
    EXPECT_LE(fit.parameters.at(0), 1);
  }
}

TEST(FittedCurve, HasTheStandardErrorOfThePlateauThatRepetitionsShow) {
  const auto curve = curve_points("logistic", {0.7, 2, 0.06}, growing_densities(0.02, 0.6), 2000);
  const Extrapolation exact = extrapolate(curve, options_for("logistic", 0.05));
  constexpr int repetitions = 400;
  double sum = 0;
  double squares = 0;
  for (std::uint64_t seed = 0; seed < repetitions; ++seed) {
    const Extrapolation fit =
        extrapolate(measured(curve, RandomStream(seed, "noise")), options_for("logistic", 0.05));
    ASSERT_FALSE(std::isnan(fit.accuracy_at_one)) << "seed " << seed << ": " << fit.note;
    sum += fit.accuracy_at_one;
    squares += fit.accuracy_at_one * fit.accuracy_at_one;
  }
  const double mean = sum / repetitions;
  const double deviation = std::sqrt(squares / repetitions - mean * mean);
  // The deviation of 400 repetitions is itself known to 3.5 %.
  EXPECT_NEAR(deviation / exact.standard_error, 1, 0.15);
  EXPECT_NEAR(mean, exact.accuracy_at_one, 4 * exact.standard_error / std::sqrt(repetitions));
}

TEST(FittedCurve, OfASaturatingTrajectoryHoldsA1AtItsBoundOne) {
  // Accuracies of exactly 1 pull A1 above 1.
  std::vector<CurvePoint> points =
      curve_points("logistic", {1, 3, 0.05}, growing_densities(0.02, 0.9), 5000);
  for (CurvePoint& point : points) {
    point.accuracy = point.density > 0.2 ? 1 : point.accuracy;
  }
  const Extrapolation fit = extrapolate(points, options_for("logistic", 0.01));
  EXPECT_EQ(fit.outcome, Outcome::found) << fit.note;
  EXPECT_EQ(fit.parameters.at(0), 1);
  EXPECT_LT(fit.standard_error, 0.002);
}

}  // namespace
}  // namespace gcg
