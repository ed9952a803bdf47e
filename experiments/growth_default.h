#pragma once

#include <cmath>

#include "run_rows.h"

/// The growth that several experiments vary: by the defaults of the method as far as the scale
/// allows, from a seed of density 0.05 to a given density. What they share is trained once.
namespace gcg {

struct GrowthScale {
  GivenOptions common;        ///< network and width
  double growth_ratio;        ///< per stage
  std::int64_t stage_epochs;  ///< E of the default
  std::int64_t epochs;        ///< of the recipe, which is the final training

  /// Per round of iterative pruning: growth mirrored.
  [[nodiscard]] double prune_fraction() const { return growth_ratio / (1 + growth_ratio); }
};

inline constexpr double kSeedDensity = 0.05;

inline GrowthScale growth_scale(const Scale& scale) {
  return {scale.options(), growth_ratio_of(scale), epochs_of(scale, "stage-epochs"),
          epochs_of(scale)};
}

/// Stages of growth from one density to another, the first and the cut one included.
inline std::int64_t growth_stages(double from, double to, double ratio) {
  return 1 + static_cast<std::int64_t>(std::ceil(std::log(to / from) / std::log1p(ratio) - 1e-9));
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
