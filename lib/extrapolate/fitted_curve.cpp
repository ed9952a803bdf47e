#include "extrapolate/fitted_curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "extrapolate/bootstrap.h"

namespace gcg {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double accuracy_at_one(const CurveModel& model, std::span<const double> parameters, double chance) {
  return model.value(1, parameters, chance, {});
}

double absolute_epsilon(double at_one, const ExtrapolationOptions& options) {
  return options.epsilon_relative ? options.epsilon * (at_one - options.chance) : options.epsilon;
}

/// The smallest d with A(1) - A(d) <= epsilon; NaN if the curve lies within epsilon of A(1) at
/// every d > 0.
double density_for(const CurveModel& model, std::span<const double> parameters,
                   const ExtrapolationOptions& options) {
  const double at_one = accuracy_at_one(model, parameters, options.chance);
  const double density =
      model.inverse(at_one - absolute_epsilon(at_one, options), parameters, options.chance);
  return density > 0 ? density : kNaN;
}

/// Chi-square of the best constant.
double constant_chi_square(std::span<const CurvePoint> points) {
  double weights = 0;
  double mean = 0;
  for (const CurvePoint& point : points) {
    weights += 1 / accuracy_variance(point);
    mean += point.accuracy / accuracy_variance(point);
  }
  mean /= weights;
  double sum = 0;
  for (const CurvePoint& point : points) {
    sum += (point.accuracy - mean) * (point.accuracy - mean) / accuracy_variance(point);
  }
  return sum;
}

bool rises(const CurveFit& fit, std::span<const CurvePoint> points) {
  return constant_chi_square(points) - fit.chi_square > kRiseChiSquare;
}

/// Standard error of log d*, from central differences over the fitted parameters; NaN if it has
/// none.
double log_density_error(const CurveModel& model, const std::vector<double>& parameters,
                         std::span<const double> covariance, const ExtrapolationOptions& options) {
  constexpr double step = 1e-5;
  std::vector<double> gradient(parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    std::vector<double> up = parameters;
    std::vector<double> down = parameters;
    up[i] = i == 0 ? up[i] + step : up[i] * std::exp(step);
    down[i] = i == 0 ? down[i] - step : down[i] * std::exp(-step);
    gradient[i] =
        (std::log(density_for(model, up, options)) - std::log(density_for(model, down, options))) /
        (2 * step);
  }
  return propagated_error(covariance, gradient);
}

/// The value that a chi-square variable exceeds with probability 0.001 (Wilson and Hilferty 1931).
double chi_square_limit(double degrees) {
  const double spread = 2 / (9 * degrees);
  return degrees * std::pow(1 - spread + 3.0902 * std::sqrt(spread), 3);
}

/// Fit, A(1) and its error. Returns why the curve is undetermined; empty if it is not.
std::string measure(const CurveModel& model, std::span<const CurvePoint> points,
                    const ExtrapolationOptions& options, Extrapolation& result,
                    std::vector<double>& covariance) {
  const CurveFit fit = fit_curve(model, points, options.chance);
  if (fit.parameters.empty()) {
    return "no rising curve above chance fits the stages";
  }
  result.parameters = fit.parameters;
  result.chi_square = fit.chi_square;
  if (!fit.converged) {
    return "the fit does not converge";
  }
  if (!rises(fit, points)) {
    return "accuracy does not rise over the stages beyond its noise";
  }
  std::vector<double> gradient(model.parameters);
  const double at_one = model.value(1, fit.parameters, options.chance, gradient);
  result.accuracy_at_one = at_one;
  result.epsilon = absolute_epsilon(at_one, options);
  covariance = fit_covariance(model, points, options.chance, fit.parameters);
  if (covariance.empty()) {
    return "the stages leave parameters of the curve free";
  }
  result.standard_error = propagated_error(covariance, gradient);
  const double rise = at_one - options.chance;
  if (!(result.standard_error <= kPlateauShare * rise)) {
    return fmt::format("A(1) = {:.4f} has a standard error of {:.4f}: the stages show no plateau",
                       at_one, result.standard_error);
  }
  const double first = model.value(points.front().density, fit.parameters, options.chance, {});
  const double last = model.value(points.back().density, fit.parameters, options.chance, {});
  if (at_one - last > last - first) {
    return "more than half of the rise lies beyond the last stage";
  }
  return {};
}

/// Outcome and d* of a determined curve.
void decide(const CurveModel& model, std::span<const CurvePoint> points,
            const ExtrapolationOptions& options, std::span<const double> covariance,
            Extrapolation& result) {
  if (result.epsilon < result.standard_error) {
    result.outcome = Outcome::not_resolvable;
    result.note = fmt::format("epsilon {:.4f} is below the standard error {:.4f} of A(1) = {:.4f}",
                              result.epsilon, result.standard_error, result.accuracy_at_one);
    return;
  }
  const double density = density_for(model, result.parameters, options);
  if (std::isnan(density)) {
    result.note = fmt::format("epsilon {:.4f} is as large as the whole rise to A(1) = {:.4f}",
                              result.epsilon, result.accuracy_at_one);
    return;
  }
  if (density > kDenseFrom) {
    result.outcome = Outcome::needs_dense;
    result.d_star = 1;
    result.note = fmt::format(
        "the curve still rises at density 1: A(1) - A({}) = {:.4f}, epsilon {:.4f}", kDenseFrom,
        result.accuracy_at_one - model.value(kDenseFrom, result.parameters, options.chance, {}),
        result.epsilon);
    return;
  }
  const double error = log_density_error(model, result.parameters, covariance, options);
  if (!(error <= kLogDensityError)) {
    result.note = fmt::format("d* would be {:.3g}, but is not known within a factor of {:.2g}",
                              density, std::exp(kLogDensityError));
    return;
  }
  result.outcome = Outcome::found;
  result.d_star = density;
  result.note = fmt::format("A(1) = {:.4f}, within {:.4f} of it from d* = {:.3g} on",
                            result.accuracy_at_one, result.epsilon, density);
  if (density < points.front().density) {
    result.note += ", below the first stage";
  } else if (density > points.back().density) {
    result.note += ", beyond the last stage";
  }
}

}  // namespace

Extrapolation extrapolate_curve(const CurveModel& model, std::span<const CurvePoint> points,
                                const ExtrapolationOptions& options) {
  Extrapolation result;
  const std::size_t needed =
      std::max(static_cast<std::size_t>(options.min_stages), model.parameters);
  if (points.size() < needed) {
    result.outcome = Outcome::too_few_stages;
    result.note = fmt::format("{} stages of at least {}", points.size(), needed);
    return result;
  }
  std::vector<double> covariance;
  result.note = measure(model, points, options, result, covariance);
  if (result.note.empty()) {
    decide(model, points, options, covariance, result);
  }
  const double degrees = static_cast<double>(points.size() - model.parameters);
  if (degrees > 0 && result.chi_square > chi_square_limit(degrees)) {
    result.note += fmt::format("; the curve fits badly: chi-square {:.1f} at {} degrees of freedom",
                               result.chi_square, degrees);
  }
  if (result.outcome != Outcome::found && result.outcome != Outcome::needs_dense) {
    return result;
  }
  std::vector<double> means;
  for (const CurvePoint& point : points) {
    means.push_back(model.value(point.density, result.parameters, options.chance, {}));
  }
  add_interval(result, points, means, options, [&](std::span<const CurvePoint> replicate) {
    const CurveFit fit = fit_curve_from(model, replicate, options.chance, result.parameters);
    if (!fit.converged || !rises(fit, replicate)) {
      return kNaN;
    }
    const double density = density_for(model, fit.parameters, options);
    return density > kDenseFrom ? 1.0 : density;
  });
  return result;
}

}  // namespace gcg
