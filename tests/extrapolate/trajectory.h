#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "extrapolate/curve.h"

namespace gcg {

/// Densities first, first (1 + ratio), ... up to last.
inline std::vector<double> growing_densities(double first, double last, double ratio = 0.25) {
  std::vector<double> densities;
  for (double d = first; d < last * (1 + 1e-9); d *= 1 + ratio) {
    densities.push_back(std::min(d, 1.0));
  }
  return densities;
}

/// The curve of an extrapolator at these densities, without noise; chance 0.1.
inline std::vector<CurvePoint> curve_points(std::string_view extrapolator,
                                            const std::vector<double>& parameters,
                                            const std::vector<double>& densities,
                                            std::int64_t samples) {
  std::vector<CurvePoint> points;
  for (const double d : densities) {
    const double accuracy = find_extrapolator(extrapolator).evaluate(d, parameters, 0.1);
    points.push_back({d, accuracy, samples});
  }
  return points;
}

/// The same with the noise of `samples` coin tosses a point.
inline std::vector<CurvePoint> measured(std::vector<CurvePoint> points, RandomStream random) {
  for (CurvePoint& point : points) {
    std::int64_t right = 0;
    for (std::int64_t i = 0; i < point.samples; ++i) {
      right += random.uniform() < point.accuracy ? 1 : 0;
    }
    point.accuracy = static_cast<double>(right) / static_cast<double>(point.samples);
  }
  return points;
}

inline ExtrapolationOptions options_for(std::string_view extrapolator, double epsilon) {
  ExtrapolationOptions options;
  options.extrapolator = extrapolator;
  options.epsilon = epsilon;
  options.bootstrap = 0;
  return options;
}

/// The smallest d with A(1) - A(d) <= epsilon on a rising curve, by bisection.
inline double bisected_d_star(std::string_view extrapolator, const std::vector<double>& parameters,
                              double epsilon) {
  const auto evaluate = find_extrapolator(extrapolator).evaluate;
  const double target = evaluate(1, parameters, 0.1) - epsilon;
  double low = 1e-9;
  double high = 1;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (evaluate(middle, parameters, 0.1) >= target ? high : low) = middle;
  }
  return high;
}

}  // namespace gcg
