#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "study/experiment.h"

/// What the definitions of several experiments have in common: rows of options, repeated by seed.
namespace gcg {

/// One curve or cell of an experiment, without what all have in common and without the seed.
struct Row {
  std::string curve;
  GivenOptions options;
  Part part;
};

/// A number as an option: equal numbers give equal texts in every experiment.
inline std::string text(double value) { return fmt::format("{:.6f}", value); }
inline std::string text(std::int64_t value) { return fmt::format("{}", value); }

/// `options` and what `more` has beside them.
inline GivenOptions with(GivenOptions options, const GivenOptions& more) {
  options.insert(more.begin(), more.end());
  return options;
}

/// Dense training by the recipe: the reference.
inline Row dense_row(std::int64_t epochs) {
  return {"dense", {{"method", "dense"}, {"epochs", text(epochs)}}, {"dense", "dense"}};
}

/// Rounds of iterative pruning that reach a density, each by the same share of the survivors.
inline std::int64_t rounds(double density, double share = 0.2) {
  return static_cast<std::int64_t>(std::ceil(std::log(density) / std::log1p(-share) - 1e-9));
}

/// UsageError: an option of the scale that a run says itself, which would be ignored.
inline void check_no_option_is_hidden(const Scale& scale, const GivenOptions& options) {
  for (const auto& [name, value] : scale.options()) {
    const auto setting = scale.settings.find("options." + name);
    if (setting != scale.settings.end() && options.at(name) != value) {
      throw UsageError(setting->second.where, "the runs of this experiment say it themselves",
                       "leave it out; --settings shows the settings that the experiment has");
    }
  }
}

/// Without what shapes the learning rate of a training by the recipe, for a run that has none: it
/// says no epochs, and its stages and cycles have a schedule of their own.
inline void leave_out_schedule(GivenOptions& options) {
  if (!options.contains("epochs")) {
    options.erase("warmup");
    options.erase("schedule");
  }
}

/// Every row at every seed. Seeds outermost: an interrupted study has whole replicates, and what is
/// compared is measured close together.
inline std::vector<ExperimentRun> repeat(const std::vector<Row>& rows, const GivenOptions& common,
                                         const ExperimentRequest& request) {
  std::vector<ExperimentRun> runs;
  const std::int64_t own_seeds = request.scale.seeds();
  const std::int64_t seeds = request.seeds > 0 ? request.seeds : own_seeds;
  const std::int64_t first = request.scale.first_seed();
  for (std::int64_t seed = first; seed < first + seeds; ++seed) {
    for (const Row& row : rows) {
      GivenOptions options = with(row.options, common);
      check_no_option_is_hidden(request.scale, options);
      runs.push_back(
          {row.curve, std::move(options), static_cast<std::uint64_t>(seed), {}, row.part});
    }
  }
  return runs;
}

// Settings of several experiments.
inline constexpr std::int64_t kMostEpochs = 100'000;
inline std::int64_t epochs_of(const Scale& scale, std::string_view setting = "epochs") {
  return scale.whole(setting, 1, kMostEpochs);
}
inline double growth_ratio_of(const Scale& scale) {
  return scale.number("growth-ratio", kPositive);
}
inline double epsilon_of(const Scale& scale) { return scale.number("epsilon", kNotNegative); }
inline std::int64_t update_interval_of(const Scale& scale) {
  return scale.whole("update-interval", 1, 1'000'000'000);
}

}  // namespace gcg
