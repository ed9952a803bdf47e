#include <cmath>

#include "extrapolate/extrapolators.h"
#include "extrapolate/fitted_curve.h"

// A(d) = A0 + (A1 - A0) / (1 + exp(-k (log d - log dh))): parameters A1, k, dh.

namespace gcg {

namespace {

double value(double density, std::span<const double> p, double chance, std::span<double> gradient) {
  const double z = p[1] * (std::log(density) - std::log(p[2]));
  const double share = 1 / (1 + std::exp(-z));
  if (!gradient.empty()) {
    const double slope = (p[0] - chance) * share * (1 - share);  // dA/dz
    gradient[0] = share;
    gradient[1] = slope * z;
    gradient[2] = -slope * p[1];
  }
  return chance + (p[0] - chance) * share;
}

double inverse(double accuracy, std::span<const double> p, double chance) {
  return p[2] * std::exp(std::log((accuracy - chance) / (p[0] - accuracy)) / p[1]);
}

std::vector<std::vector<double>> starts(std::span<const CurvePoint> points) {
  const double first = points.front().density;
  const double last = points.back().density;
  std::vector<std::vector<double>> grid;
  for (const double half : {first / 2, first, std::sqrt(first * last), last}) {
    for (const double k : {0.7, 2.0, 6.0}) {
      grid.push_back({k, half});
    }
  }
  return grid;
}

constexpr CurveModel kModel{3, value, inverse, starts};

}  // namespace

ExtrapolatorEntry logistic_extrapolator() {
  return {"logistic",
          "A(d) = A0 + (A1 - A0) / (1 + exp(-k (log d - log dh))), A0 = chance",
          {"A1", "k", "dh"},
          [](std::span<const CurvePoint> points, const ExtrapolationOptions& options) {
            return extrapolate_curve(kModel, points, options);
          },
          [](double density, std::span<const double> parameters, double chance) {
            return value(density, parameters, chance, {});
          }};
}

}  // namespace gcg
