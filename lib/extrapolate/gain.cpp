#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "extrapolate/bootstrap.h"
#include "extrapolate/extrapolators.h"
#include "extrapolate/fit.h"

// No model of the whole curve: lines over log2 d through neighbouring stages that span one doubling
// of density. Parameters of the last of them: gain per doubling and level (the line at d = 1).

namespace gcg {

namespace {

struct Line {
  double start = 0;  ///< density of the first stage
  double gain = 0;   ///< per doubling of density
  double level = 0;
  double error = 0;  ///< standard error of the gain
  double chi_square = 0;
};

/// Weighted regression of accuracy over log2 d.
Line regression(std::span<const CurvePoint> points) {
  double weights = 0;
  double mean_x = 0;
  double mean_y = 0;
  for (const CurvePoint& point : points) {
    const double weight = 1 / accuracy_variance(point);
    weights += weight;
    mean_x += weight * std::log2(point.density);
    mean_y += weight * point.accuracy;
  }
  mean_x /= weights;
  mean_y /= weights;
  double xx = 0;
  double xy = 0;
  for (const CurvePoint& point : points) {
    const double weight = 1 / accuracy_variance(point);
    const double x = std::log2(point.density) - mean_x;
    xx += weight * x * x;
    xy += weight * x * (point.accuracy - mean_y);
  }
  Line line{points.front().density, xy / xx, mean_y - xy / xx * mean_x, 1 / std::sqrt(xx), 0};
  for (const CurvePoint& point : points) {
    const double residual = point.accuracy - line.level - line.gain * std::log2(point.density);
    line.chi_square += residual * residual / accuracy_variance(point);
  }
  return line;
}

/// One line from every stage after which the density doubles (within 0.1 %), through the first
/// stage that has at least doubled it.
std::vector<Line> lines_over_doublings(std::span<const CurvePoint> points) {
  std::vector<Line> lines;
  std::size_t end = 0;
  for (std::size_t begin = 0; begin < points.size(); ++begin) {
    while (end < points.size() && points[end].density < 1.999 * points[begin].density) {
      ++end;
    }
    if (end == points.size()) {
      break;
    }
    lines.push_back(regression(points.subspan(begin, end - begin + 1)));
  }
  return lines;
}

/// Start of the first line of those at the end that all gain less than epsilon; nothing if the last
/// gains more.
std::optional<double> density_for(std::span<const Line> lines, double epsilon) {
  std::optional<double> density;
  for (auto line = lines.rbegin(); line != lines.rend() && line->gain < epsilon; ++line) {
    density = line->start;
  }
  return density;
}

double absolute_epsilon(std::span<const CurvePoint> points, const ExtrapolationOptions& options) {
  return options.epsilon_relative ? options.epsilon * (points.back().accuracy - options.chance)
                                  : options.epsilon;
}

Extrapolation extrapolate_gain(std::span<const CurvePoint> points,
                               const ExtrapolationOptions& options) {
  Extrapolation result;
  const auto needed = static_cast<std::size_t>(std::max<std::int64_t>(options.min_stages, 2));
  if (points.size() < needed) {
    result.outcome = Outcome::too_few_stages;
    result.note = fmt::format("{} stages of at least {}", points.size(), needed);
    return result;
  }
  const std::vector<Line> lines = lines_over_doublings(points);
  if (lines.empty()) {
    result.note = "the stages span less than one doubling of density";
    return result;
  }
  const Line& last = lines.back();
  result.parameters = {last.gain, last.level};
  result.chi_square = last.chi_square;
  result.standard_error = last.error;
  result.epsilon = absolute_epsilon(points, options);
  const std::optional<double> density = density_for(lines, result.epsilon);
  if (!(result.epsilon > 0)) {
    result.note = "the last accuracy is not above chance";
  } else if (result.epsilon < last.error) {
    result.outcome = Outcome::not_resolvable;
    result.note = fmt::format("epsilon {:.4f} is below the standard error {:.4f} of the gain",
                              result.epsilon, last.error);
  } else if (density) {
    result.outcome = Outcome::found;
    result.d_star = *density;
    result.note = fmt::format("a doubling gains less than {:.4f} from d* = {:.3g} on",
                              result.epsilon, *density);
  } else {
    result.note =
        fmt::format("the last doubling gains {:.4f}, epsilon {:.4f}", last.gain, result.epsilon);
    if (points.back().density > kDenseFrom) {
      result.outcome = Outcome::needs_dense;
      result.d_star = 1;
    }
  }
  if (result.outcome != Outcome::found && result.outcome != Outcome::needs_dense) {
    return result;
  }
  std::vector<double> means;
  for (const CurvePoint& point : points) {
    means.push_back(point.accuracy);
  }
  add_interval(result, points, means, options, [&](std::span<const CurvePoint> replicate) {
    return density_for(lines_over_doublings(replicate), absolute_epsilon(replicate, options))
        .value_or(1.0);
  });
  return result;
}

}  // namespace

ExtrapolatorEntry gain_extrapolator() {
  return {"gain",
          "gain per doubling of density below epsilon: local slope of accuracy over log2 d",
          {"gain", "level"},
          extrapolate_gain,
          [](double density, std::span<const double> parameters, double /*chance*/) {
            return parameters[1] + parameters[0] * std::log2(density);
          }};
}

}  // namespace gcg
