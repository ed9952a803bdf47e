#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "extrapolate/curve.h"

namespace gcg {

/// A family of rising curves A(d). Its first parameter is the asymptote A1, on which A(d) depends
/// linearly; the others are positive and are fitted as their logarithms.
struct CurveModel {
  std::size_t parameters = 0;
  /// A(d). Fills `gradient`, unless it is empty, with the derivatives by A1 and by the logarithms
  /// of the other parameters.
  double (*value)(double density, std::span<const double> parameters, double chance,
                  std::span<double> gradient) = nullptr;
  /// The density d > 0 with A(d) = accuracy, for an accuracy below A1; NaN or 0 where there is
  /// none.
  double (*inverse)(double accuracy, std::span<const double> parameters, double chance) = nullptr;
  /// Starting values of all parameters but A1, which follows from them by linear regression.
  std::vector<std::vector<double>> (*starts)(std::span<const CurvePoint> points) = nullptr;
};

/// Variance of a measured accuracy: p (1 - p) / n at the smoothed p = (n accuracy + 2) / (n + 4)
/// (Agresti and Coull 1998), which does not vanish at accuracy 0 or 1.
double accuracy_variance(const CurvePoint& point);

/// A weighted least-squares fit with chance < A1 <= 1.
struct CurveFit {
  bool converged = false;
  std::vector<double> parameters;  ///< empty if no start led to an admissible curve
  double chi_square = 0;           ///< sum of (accuracy - A(d))^2 / variance
};

/// The best fit over all starting points of the model, tried in their order. Needs at least as many
/// points as parameters.
CurveFit fit_curve(const CurveModel& model, std::span<const CurvePoint> points, double chance);
/// The fit from one starting point (all parameters).
CurveFit fit_curve_from(const CurveModel& model, std::span<const CurvePoint> points, double chance,
                        std::span<const double> start);

/// Covariance of (A1, logarithms of the others), row by row: the inverse of J^T W J at the given
/// parameters, as if A1 had no bound. Empty if J is rank-deficient.
std::vector<double> fit_covariance(const CurveModel& model, std::span<const CurvePoint> points,
                                   double chance, std::span<const double> parameters);

/// sqrt(g^T C g): standard error of a quantity with gradient g.
double propagated_error(std::span<const double> covariance, std::span<const double> gradient);

}  // namespace gcg
