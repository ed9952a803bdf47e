#include <set>

#include "growth_default.h"

namespace {

using namespace gcg;

constexpr double kLastDensity = 0.2;
constexpr const char* kDefault = "default";

/// From the seed on, or from the end of a stage of the default run, whose past it shares.
constexpr int kFromTheSeed = -1;

struct Change {
  std::string name;
  GivenOptions options;
  int after = kFromTheSeed;  ///< stage of the default run that it branches off after
};

/// One change each against the default growth. Names begin with the choice they belong to.
std::vector<Change> changes(const std::string& scale, const GrowthScale& sizes) {
  const int stages = growth_stages(kSeedDensity, kLastDensity, sizes.growth_ratio);
  std::vector<Change> result{
      {"seed rule: ERK", {{"seed-rule", "erk"}}},
      {"law: beta 2", {{"beta", "2"}}, 0},
      {"law: lambda 0.1", {{"lambda", "0.1"}}, 0},
      {"normalisation in the score: identity", {{"path-norm", "identity"}}, 0},
      {"new weights: initial", {{"new-weights", "initial"}}, 0},
      // A ratio that leaps over the last density, which the stage is then cut to: two stages.
      {"pace: at once, as much training",
       {{"growth-ratio", "10"}, {"stage-epochs", text(stages * sizes.stage_epochs / 2)}}},
      {"final training: rewound", {{"final", "rewind"}}, stages - 1},
  };
  if (scale == "smoke") {
    return result;
  }
  const std::vector<Change> more{
      {"seed rule: SynFlow", {{"seed-rule", "synflow"}}},
      {"seed density: 0.02", {{"seed-density", text(0.02)}}},
      {"seed density: 0.10", {{"seed-density", text(0.1)}}},
      {"law: beta 0 (uniform)", {{"beta", "0"}}, 0},
      {"law: beta infinite (greedy)", {{"selection", "greedy"}}, 0},
      {"new weights: small random", {{"new-weights", "small_random"}}, 0},
      {"dead units: not repaired", {{"repair", "off"}}, 0},
      {"stage warm-up: none", {{"stage-warmup", "0"}}},
  };
  result.insert(result.end(), more.begin(), more.end());
  if (scale == "small") {
    return result;
  }
  const std::vector<Change> most{
      {"seed rule: uniform", {{"seed-rule", "uniform"}}},
      {"seed rule: ERK at 0.02", {{"seed-rule", "erk"}, {"seed-density", text(0.02)}}},
      {"seed rule: ERK at 0.10", {{"seed-rule", "erk"}, {"seed-density", text(0.1)}}},
      {"seed rule: SynFlow at 0.02", {{"seed-rule", "synflow"}, {"seed-density", text(0.02)}}},
      {"seed rule: SynFlow at 0.10", {{"seed-rule", "synflow"}, {"seed-density", text(0.1)}}},
      {"law: beta 0.5", {{"beta", "0.5"}}, 0},
      {"law: lambda 0.01", {{"lambda", "0.01"}}, 0},
  };
  result.insert(result.end(), most.begin(), most.end());
  return result;
}

/// A branch of the default run. What its trunk decides is not its own to say.
GivenOptions branch(GivenOptions options, int stage) {
  options.erase("seed-density");
  options.erase("disconnected");
  options["trunk-stage"] = text(stage);
  return options;
}

/// One change at a time from the default growth to one density, final training included.
std::vector<ExperimentRun> ablations(const ExperimentRequest& request) {
  const GrowthScale scale = growth_scale(request.scale);
  const int stages = growth_stages(kSeedDensity, kLastDensity, scale.growth_ratio);
  std::vector<Row> rows{{kDefault, growth_to(scale, kLastDensity)}};
  std::set<std::string> branches;
  for (const Change& change : changes(request.scale, scale)) {
    GivenOptions options = growth_to(scale, kLastDensity, change.options);
    if (change.after != kFromTheSeed) {
      options = branch(std::move(options), change.after);
      branches.insert(change.name);
    }
    rows.push_back({change.name, std::move(options)});
  }
  // No growth at all: the seed rule's mask of the last density, in as many epochs.
  rows.push_back({"pace: no growth, as much training",
                  {{"method", "fixed_mask"},
                   {"seed-rule", "phew"},
                   {"seed-density", text(kLastDensity)},
                   {"disconnected", "repair"},
                   {"epochs", text(stages * scale.stage_epochs + scale.epochs)}}});
  rows.push_back({"dense", {{"method", "dense"}, {"epochs", text(scale.epochs)}}});
  std::vector<ExperimentRun> runs = repeat(rows, common_options(scale), request, scale.seeds);
  for (ExperimentRun& run : runs) {
    if (branches.contains(run.curve)) {
      run.trunk = kDefault;
    }
  }
  return runs;
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::experiment_main(
      argc, argv,
      {"ablations", "one change at a time from the default growth, paired by seed", ablations});
}
