#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cmath>

#include <ceres/version.h>

#include "base/error.h"
#include "base/lookup.h"
#include "extrapolate/extrapolators.h"

namespace gcg {

namespace {

void check_points(std::span<const CurvePoint> points) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    const CurvePoint& point = points[i];
    const std::string stage = fmt::format("extrapolation, stage {}", i);
    if (!(point.density > 0 && point.density <= 1)) {
      throw Error(stage, fmt::format("density {} is outside of (0, 1]", point.density));
    }
    if (!(point.accuracy >= 0 && point.accuracy <= 1)) {
      throw Error(stage, fmt::format("accuracy {} is outside of [0, 1]", point.accuracy));
    }
    if (point.samples < 1 || point.samples > kMaxSamples) {
      throw Error(stage, fmt::format("{} validation samples, outside of [1, {}]", point.samples,
                                     kMaxSamples));
    }
    if (i > 0 && !(points[i - 1].density < point.density)) {
      throw Error(stage, fmt::format("density {} does not exceed {} of the stage before",
                                     point.density, points[i - 1].density));
    }
  }
}

void check_options(const ExtrapolationOptions& options) {
  const auto require = [](bool holds, std::string_view option, auto value, std::string_view range) {
    if (!holds) {
      throw UsageError(fmt::format("extrapolation, {}", option),
                       fmt::format("{} is outside of {}", value, range));
    }
  };
  if (options.epsilon_relative) {
    require(options.epsilon > 0 && options.epsilon < 1, "relative epsilon", options.epsilon,
            "(0, 1)");
  } else {
    require(options.epsilon > 0 && options.epsilon <= 1, "epsilon", options.epsilon, "(0, 1]");
  }
  require(options.chance >= 0 && options.chance < 1, "chance", options.chance, "[0, 1)");
  require(options.min_stages >= 1, "min_stages", options.min_stages, "[1, inf)");
  require(options.bootstrap >= 0 && options.bootstrap <= kMaxReplicates, "bootstrap",
          options.bootstrap, fmt::format("[0, {}]", kMaxReplicates));
  require(options.confidence > 0 && options.confidence < 1, "confidence", options.confidence,
          "(0, 1)");
}

}  // namespace

std::span<const ExtrapolatorEntry> extrapolator_table() {
  static const std::array table{
      logistic_extrapolator(),
      power_extrapolator(),
      exponential_extrapolator(),
      gain_extrapolator(),
  };
  return table;
}

const ExtrapolatorEntry& find_extrapolator(std::string_view name) {
  return find_row(extrapolator_table(), name, "--extrapolator");
}

Extrapolation extrapolate(std::span<const CurvePoint> points, const ExtrapolationOptions& options) {
  const ExtrapolatorEntry& entry = find_extrapolator(options.extrapolator);
  check_options(options);
  check_points(points);
  return entry.extrapolate(points, options);
}

std::string ceres_version() { return CERES_VERSION_STRING; }

}  // namespace gcg
