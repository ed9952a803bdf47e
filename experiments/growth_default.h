#pragma once

#include <string>

#include "run_rows.h"

/// The growth that several experiments vary: by the defaults of the method as far as the scale
/// allows, from a seed of density 0.05 to a given density. What they share is trained once.
namespace gcg {

struct GrowthScale {
  std::string network, width;
  double growth_ratio;    ///< per stage
  double prune_fraction;  ///< per round of iterative pruning: growth mirrored, 1 - 1 / (1 + ratio)
  int stage_epochs;       ///< E of the default
  int epochs;             ///< of the recipe, which is the final training
  std::int64_t seeds;
};

inline constexpr double kSeedDensity = 0.05;

inline GrowthScale growth_scale(const std::string& name) {
  if (name == "smoke") {
    return {"resnet8", "4", 0.6, 0.375, 1, 2, 1};
  }
  if (name == "small") {
    return {"resnet8", "8", 0.25, 0.2, 2, 20, 3};
  }
  return {"resnet20", "16", 0.25, 0.2, 16, 160, 5};
}

inline GivenOptions common_options(const GrowthScale& scale) {
  return {{"network", scale.network}, {"width", scale.width}};
}

/// Stages of growth from one density to another, the first and the cut one included.
inline int growth_stages(double from, double to, double ratio) {
  return 1 + static_cast<int>(std::ceil(std::log(to / from) / std::log1p(ratio) - 1e-9));
}

/// Growth to a density; `more` wins over what the default says.
inline GivenOptions growth_to(const GrowthScale& scale, double density, GivenOptions more = {}) {
  return with(std::move(more), {{"method", "gcg"},
                                // Narrow networks have units that no walk of the seed meets.
                                {"disconnected", "repair"},
                                {"seed-density", text(kSeedDensity)},
                                {"growth-ratio", text(scale.growth_ratio)},
                                {"stage-epochs", text(scale.stage_epochs)},
                                {"max-density", text(density)},
                                {"stop", "never"},
                                {"epochs", text(scale.epochs)}});
}

}  // namespace gcg
