#include "extrapolate/replay.h"

#include <cmath>

#include "base/error.h"
#include "extrapolate/bootstrap.h"

namespace gcg {

Replay replay(std::span<const CurvePoint> points, const ExtrapolationOptions& options,
              double d_max) {
  Replay result;
  for (std::size_t stage = 0; stage < points.size(); ++stage) {
    const std::span<const CurvePoint> so_far = points.first(stage + 1);
    result.fits.push_back(extrapolate(so_far, options));
    if (result.stop < 0) {
      result.reason = stop_reason(so_far, result.fits, d_max);
      result.stop = result.reason == StopReason::none ? -1 : static_cast<std::int64_t>(stage);
    }
  }
  return result;
}

double true_d_star(const TrueCurve& curve, double epsilon, double chance) {
  if (curve.extrapolator == "gain") {
    throw Error("true_d_star", "gain is no curve", "choose one of the others");
  }
  const auto evaluate = find_extrapolator(curve.extrapolator).evaluate;
  const double target = evaluate(1, curve.parameters, chance) - epsilon;
  double low = 1e-9;
  double high = 1;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (evaluate(middle, curve.parameters, chance) >= target ? high : low) = middle;
  }
  return high;
}

Coverage simulate_coverage(const TrueCurve& truth, std::span<const double> densities,
                           std::int64_t samples, const ExtrapolationOptions& options,
                           std::int64_t trials) {
  const auto evaluate = find_extrapolator(truth.extrapolator).evaluate;
  const double d_star = true_d_star(truth, options.epsilon, options.chance);
  std::vector<BinomialSampler> samplers;
  for (const double density : densities) {
    samplers.emplace_back(samples, evaluate(density, truth.parameters, options.chance));
  }
  Coverage coverage;
  coverage.trials = trials;
  for (std::int64_t trial = 0; trial < trials; ++trial) {
    RandomStream noise(static_cast<std::uint64_t>(trial), "coverage-noise");
    std::vector<CurvePoint> points;
    for (std::size_t i = 0; i < densities.size(); ++i) {
      const auto right = static_cast<double>(samplers[i].draw(noise));
      points.push_back({densities[i], right / static_cast<double>(samples), samples});
    }
    ExtrapolationOptions own = options;
    own.seed = static_cast<std::uint64_t>(trial);
    const Extrapolation fit = extrapolate(points, own);
    if (std::isnan(fit.d_star)) {
      continue;
    }
    ++coverage.found;
    coverage.log_error += std::abs(std::log(fit.d_star / d_star));
    coverage.log_bias += std::log(fit.d_star / d_star);
    if (!std::isnan(fit.d_low)) {
      ++coverage.intervals;
      coverage.covered += fit.d_low <= d_star && d_star <= fit.d_high ? 1 : 0;
    }
  }
  if (coverage.found > 0) {
    coverage.log_error /= static_cast<double>(coverage.found);
    coverage.log_bias /= static_cast<double>(coverage.found);
  }
  return coverage;
}

}  // namespace gcg
