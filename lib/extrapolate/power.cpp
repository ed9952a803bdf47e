#include <algorithm>
#include <cmath>

#include "extrapolate/extrapolators.h"
#include "extrapolate/fitted_curve.h"

// A(d) = A1 - c d^-a: parameters A1, c, a. Chance has no place in it: the curve falls below every
// accuracy at small densities, and is meant for the densities that were measured and above.

namespace gcg {

namespace {

double value(double density, std::span<const double> p, double /*chance*/,
             std::span<double> gradient) {
  const double gap = p[1] * std::pow(density, -p[2]);
  if (!gradient.empty()) {
    gradient[0] = 1;
    gradient[1] = -gap;
    gradient[2] = gap * p[2] * std::log(density);
  }
  return p[0] - gap;
}

double inverse(double accuracy, std::span<const double> p, double /*chance*/) {
  return std::pow((p[0] - accuracy) / p[1], -1 / p[2]);
}

std::vector<std::vector<double>> starts(std::span<const CurvePoint> points) {
  const CurvePoint& first = points.front();
  const CurvePoint& last = points.back();
  const double rise = std::max(last.accuracy - first.accuracy, 0.01);
  std::vector<std::vector<double>> grid;
  for (const double a : {0.2, 0.6, 1.5, 4.0}) {
    grid.push_back({rise / (std::pow(first.density, -a) - std::pow(last.density, -a)), a});
  }
  return grid;
}

constexpr CurveModel kModel{3, value, inverse, starts};

}  // namespace

ExtrapolatorEntry power_extrapolator() {
  return {"power",
          "A(d) = A1 - c d^-a",
          {"A1", "c", "a"},
          [](std::span<const CurvePoint> points, const ExtrapolationOptions& options) {
            return extrapolate_curve(kModel, points, options);
          },
          [](double density, std::span<const double> parameters, double chance) {
            return value(density, parameters, chance, {});
          }};
}

}  // namespace gcg
