#include <algorithm>

#include "growth_default.h"

namespace gcg::experiments {

namespace {

constexpr double kLastDensity = 0.2;
constexpr const char* kDefault = "default";

/// From the seed on, or from the end of a stage of the default run, whose past it shares.
constexpr std::int64_t kFromTheSeed = -1;

struct Change {
  std::string choice;  ///< that it belongs to
  std::string what;
  GivenOptions options;
  std::int64_t after = kFromTheSeed;  ///< stage of the default run that it branches off after

  [[nodiscard]] std::string name() const { return choice + ": " + what; }
};

/// One change each against the default growth: those that a scale can ask for.
std::vector<Change> all_changes(const GrowthScale& sizes) {
  const std::int64_t stages = growth_stages(kSeedDensity, kLastDensity, sizes.growth_ratio);
  const auto seed = [](const std::string& rule, double density) {
    return GivenOptions{{"seed-rule", rule}, {"seed-density", text(density)}};
  };
  return {
      {"seed rule", "ERK", {{"seed-rule", "erk"}}},
      {"seed rule", "SynFlow", {{"seed-rule", "synflow"}}},
      {"seed rule", "uniform", {{"seed-rule", "uniform"}}},
      {"seed rule", "ERK at 0.02", seed("erk", 0.02)},
      {"seed rule", "ERK at 0.10", seed("erk", 0.1)},
      {"seed rule", "SynFlow at 0.02", seed("synflow", 0.02)},
      {"seed rule", "SynFlow at 0.10", seed("synflow", 0.1)},
      {"seed density", "0.02", {{"seed-density", text(0.02)}}},
      {"seed density", "0.10", {{"seed-density", text(0.1)}}},
      {"law", "beta 0 (uniform)", {{"beta", "0"}}, 0},
      {"law", "beta 0.5", {{"beta", "0.5"}}, 0},
      {"law", "beta 2", {{"beta", "2"}}, 0},
      {"law", "beta infinite (greedy)", {{"selection", "greedy"}}, 0},
      {"law", "lambda 0.01", {{"lambda", "0.01"}}, 0},
      {"law", "lambda 0.1", {{"lambda", "0.1"}}, 0},
      {"normalisation in the score", "identity", {{"path-norm", "identity"}}, 0},
      {"new weights", "initial", {{"new-weights", "initial"}}, 0},
      {"new weights", "small random", {{"new-weights", "small_random"}}, 0},
      {"dead units", "not repaired", {{"repair", "off"}}, 0},
      {"stage warm-up", "none", {{"stage-warmup", "0"}}},
      // A ratio that leaps over the last density, which the stage is then cut to: two stages.
      {"pace",
       "at once, as much training",
       {{"growth-ratio", "10"}, {"stage-epochs", text(stages * sizes.stage_epochs / 2)}}},
      {"final training", "rewound", {{"final", "rewind"}}, stages - 1},
  };
}

/// A branch of the default run. What its trunk decides is not its own to say.
GivenOptions branch(GivenOptions options, std::int64_t stage) {
  options.erase("seed-density");
  options.erase("disconnected");
  options["trunk-stage"] = text(stage);
  return options;
}

/// One change at a time from the default growth to one density, final training included.
std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  const GrowthScale scale = growth_scale(request.scale);
  const std::int64_t stages = growth_stages(kSeedDensity, kLastDensity, scale.growth_ratio);
  const std::vector<Change> all = all_changes(scale);
  std::vector<std::string> known;
  std::ranges::transform(all, std::back_inserter(known), &Change::name);
  std::vector<Row> rows{{kDefault, growth_to(scale, kLastDensity), {"growth", kDefault}}};
  for (const std::string& name : request.scale.words("changes", known)) {
    const Change& change = *std::ranges::find(all, name, &Change::name);
    GivenOptions options = growth_to(scale, kLastDensity, change.options);
    if (change.after != kFromTheSeed) {
      options = branch(std::move(options), change.after);
    }
    rows.push_back({name, std::move(options), {"change", change.choice}});
  }
  // No growth at all: the seed rule's mask of the last density, in as many epochs.
  rows.push_back({"pace: no growth, as much training",
                  {{"method", "fixed_mask"},
                   {"seed-rule", "phew"},
                   {"seed-density", text(kLastDensity)},
                   {"disconnected", "repair"},
                   {"epochs", text(stages * scale.stage_epochs + scale.epochs)}},
                  {"change", "pace"}});
  rows.push_back(dense_row(scale.epochs));
  std::vector<ExperimentRun> runs = repeat(rows, scale.common, request);
  for (ExperimentRun& run : runs) {
    if (run.options.contains("trunk-stage")) {
      run.trunk = kDefault;
    }
  }
  return runs;
}

}  // namespace

ExperimentRuns ablations() { return {runs}; }

}  // namespace gcg::experiments
