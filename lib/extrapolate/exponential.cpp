#include <cmath>

#include "extrapolate/extrapolators.h"
#include "extrapolate/fitted_curve.h"

// A(d) = A1 - (A1 - A0) exp(-d / tau): parameters A1, tau. A network without connections guesses:
// A(0) = A0, chance, is known and not a parameter.

namespace gcg {

namespace {

double value(double density, std::span<const double> p, double chance, std::span<double> gradient) {
  const double ratio = density / p[1];
  const double rest = std::exp(-ratio);
  if (!gradient.empty()) {
    gradient[0] = -std::expm1(-ratio);
    gradient[1] = -(p[0] - chance) * rest * ratio;
  }
  return p[0] - (p[0] - chance) * rest;
}

double inverse(double accuracy, std::span<const double> p, double chance) {
  return -p[1] * std::log((p[0] - accuracy) / (p[0] - chance));
}

std::vector<std::vector<double>> starts(std::span<const CurvePoint> points) {
  const double first = points.front().density;
  const double last = points.back().density;
  return {{first / 2}, {first}, {std::sqrt(first * last)}, {last}, {2 * last}};
}

constexpr CurveModel kModel{2, value, inverse, starts};

}  // namespace

ExtrapolatorEntry exponential_extrapolator() {
  return {"exponential",
          "A(d) = A1 - (A1 - A0) exp(-d / tau), A0 = chance",
          {"A1", "tau"},
          [](std::span<const CurvePoint> points, const ExtrapolationOptions& options) {
            return extrapolate_curve(kModel, points, options);
          },
          [](double density, std::span<const double> parameters, double chance) {
            return value(density, parameters, chance, {});
          }};
}

}  // namespace gcg
