#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "study/experiment.h"

/// What the definitions of several experiments have in common: rows of options, repeated by seed.
namespace gcg {

/// One curve or cell of an experiment, without what all have in common and without the seed.
struct Row {
  std::string curve;
  GivenOptions options;
};

/// A number as an option: equal numbers give equal texts in every experiment.
inline std::string text(double value) { return fmt::format("{:.6f}", value); }
inline std::string text(int value) { return fmt::format("{}", value); }

/// `options` and what `more` has beside them.
inline GivenOptions with(GivenOptions options, const GivenOptions& more) {
  options.insert(more.begin(), more.end());
  return options;
}

/// Rounds of iterative pruning that reach a density, each by the same share of the survivors.
inline int rounds(double density, double share = 0.2) {
  return static_cast<int>(std::ceil(std::log(density) / std::log1p(-share) - 1e-9));
}

/// Every row at every seed. Seeds outermost: an interrupted study has whole replicates.
inline std::vector<ExperimentRun> repeat(const std::vector<Row>& rows, const GivenOptions& common,
                                         const ExperimentRequest& request,
                                         std::int64_t default_seeds) {
  std::vector<ExperimentRun> runs;
  const std::int64_t seeds = request.seeds > 0 ? request.seeds : default_seeds;
  for (std::int64_t seed = 1; seed <= seeds; ++seed) {
    for (const Row& row : rows) {
      runs.push_back({row.curve, with(row.options, common), static_cast<std::uint64_t>(seed)});
    }
  }
  return runs;
}

}  // namespace gcg
