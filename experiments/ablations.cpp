#include "growth_default.h"

namespace {

using namespace gcg;

constexpr double kLastDensity = 0.2;

struct Change {
  std::string name;
  GivenOptions options;
};

/// One change each against the default growth. Names begin with the choice they belong to.
std::vector<Change> changes(const std::string& scale, const GrowthScale& sizes) {
  const int stages = growth_stages(kSeedDensity, kLastDensity, sizes.growth_ratio);
  std::vector<Change> result{
      {"seed rule: ERK", {{"seed-rule", "erk"}}},
      {"law: beta 2", {{"beta", "2"}}},
      {"law: lambda 0.1", {{"lambda", "0.1"}}},
      {"normalisation in the score: identity", {{"path-norm", "identity"}}},
      {"new weights: initial", {{"new-weights", "initial"}}},
      // A ratio that leaps over the last density, which the stage is then cut to: two stages.
      {"pace: at once, as much training",
       {{"growth-ratio", "10"}, {"stage-epochs", text(stages * sizes.stage_epochs / 2)}}},
      {"final training: rewound", {{"final", "rewind"}}},
  };
  if (scale == "smoke") {
    return result;
  }
  const std::vector<Change> more{
      {"seed rule: SynFlow", {{"seed-rule", "synflow"}}},
      {"seed density: 0.02", {{"seed-density", text(0.02)}}},
      {"seed density: 0.10", {{"seed-density", text(0.1)}}},
      {"law: beta 0 (uniform)", {{"beta", "0"}}},
      {"law: beta infinite (greedy)", {{"selection", "greedy"}}},
      {"new weights: small random", {{"new-weights", "small_random"}}},
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
      {"law: beta 0.5", {{"beta", "0.5"}}},
      {"law: lambda 0.01", {{"lambda", "0.01"}}},
  };
  result.insert(result.end(), most.begin(), most.end());
  return result;
}

/// One change at a time from the default growth to one density, final training included.
std::vector<ExperimentRun> ablations(const ExperimentRequest& request) {
  const GrowthScale scale = growth_scale(request.scale);
  const int stages = growth_stages(kSeedDensity, kLastDensity, scale.growth_ratio);
  std::vector<Row> rows{{"default", growth_to(scale, kLastDensity)}};
  for (Change& change : changes(request.scale, scale)) {
    rows.push_back({change.name, growth_to(scale, kLastDensity, std::move(change.options))});
  }
  // No growth at all: the seed rule's mask of the last density, in as many epochs.
  rows.push_back({"pace: no growth, as much training",
                  {{"method", "fixed_mask"},
                   {"seed-rule", "phew"},
                   {"seed-density", text(kLastDensity)},
                   {"disconnected", "repair"},
                   {"epochs", text(stages * scale.stage_epochs + scale.epochs)}}});
  rows.push_back({"dense", {{"method", "dense"}, {"epochs", text(scale.epochs)}}});
  return repeat(rows, common_options(scale), request, scale.seeds);
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::experiment_main(
      argc, argv,
      {"ablations", "one change at a time from the default growth, paired by seed", ablations});
}
