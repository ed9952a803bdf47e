#include "extrapolate/bootstrap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gcg {

namespace {

/// Quantile of sorted values, linear between order statistics.
double quantile(std::span<const double> sorted, double share) {
  const double position = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

}  // namespace

BinomialSampler::BinomialSampler(std::int64_t trials, double probability) {
  constexpr double negligible = 1e-18;  // relative to the weight of the mode, which is set to 1
  const auto n = static_cast<double>(trials);
  const double odds = probability / (1 - probability);
  const auto mode = std::min(
      trials, static_cast<std::int64_t>(std::floor((n + 1) * std::clamp(probability, 0.0, 1.0))));
  std::vector<double> below;
  double weight = 1;
  for (std::int64_t k = mode; k > 0; --k) {
    weight *= static_cast<double>(k) / (static_cast<double>(trials - k + 1) * odds);
    if (weight < negligible) {
      break;
    }
    below.push_back(weight);
  }
  cumulative_.assign(below.rbegin(), below.rend());
  cumulative_.push_back(1);
  weight = 1;
  for (std::int64_t k = mode; k < trials; ++k) {
    weight *= static_cast<double>(trials - k) * odds / static_cast<double>(k + 1);
    if (weight < negligible) {
      break;
    }
    cumulative_.push_back(weight);
  }
  smallest_ = mode - static_cast<std::int64_t>(below.size());
  double sum = 0;
  for (double& entry : cumulative_) {
    entry = sum += entry;
  }
}

std::int64_t BinomialSampler::draw(RandomStream& random) const {
  const double level = random.uniform() * cumulative_.back();
  const auto entry = std::upper_bound(cumulative_.begin(), cumulative_.end() - 1, level);
  return smallest_ + (entry - cumulative_.begin());
}

BootstrapInterval bootstrap_interval(
    std::span<const CurvePoint> points, std::span<const double> means,
    const ExtrapolationOptions& options,
    const std::function<double(std::span<const CurvePoint>)>& d_star) {
  RandomStream random(options.seed, "bootstrap", points.size());
  std::vector<BinomialSampler> samplers;
  for (std::size_t i = 0; i < points.size(); ++i) {
    samplers.emplace_back(points[i].samples, std::clamp(means[i], 0.0, 1.0));
  }
  std::vector<CurvePoint> replicate(points.begin(), points.end());
  std::vector<double> densities;
  for (std::int64_t r = 0; r < options.bootstrap; ++r) {
    for (std::size_t i = 0; i < points.size(); ++i) {
      replicate[i].accuracy =
          static_cast<double>(samplers[i].draw(random)) / static_cast<double>(points[i].samples);
    }
    const double density = d_star(replicate);
    if (!std::isnan(density)) {
      densities.push_back(density);
    }
  }
  BootstrapInterval interval;
  interval.undetermined =
      1 - static_cast<double>(densities.size()) / static_cast<double>(options.bootstrap);
  if (densities.empty() || interval.undetermined > kUndeterminedShare) {
    interval.low = interval.high = std::numeric_limits<double>::quiet_NaN();
    return interval;
  }
  std::sort(densities.begin(), densities.end());
  interval.low = quantile(densities, (1 - options.confidence) / 2);
  interval.high = quantile(densities, (1 + options.confidence) / 2);
  return interval;
}

void add_interval(Extrapolation& result, std::span<const CurvePoint> points,
                  std::span<const double> means, const ExtrapolationOptions& options,
                  const std::function<double(std::span<const CurvePoint>)>& d_star) {
  if (options.bootstrap == 0) {
    return;
  }
  const BootstrapInterval interval = bootstrap_interval(points, means, options, d_star);
  result.d_low = interval.low;
  result.d_high = interval.high;
  if (std::isnan(interval.low)) {
    result.note += fmt::format("; no interval: {:.0f} % of the replicates are undetermined",
                               100 * interval.undetermined);
  }
}

}  // namespace gcg
