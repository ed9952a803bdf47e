#include <cmath>

#include "growth_runs.h"

namespace gcg::experiments {

namespace {

/// The same path with two stages at each density, which tells the effect of time from that of
/// density, in as many stages and epochs: every second step of growth, twice as far.
Row held(const Row& trunk, const rules::RuleScale& scale) {
  const double ratio = (1 + scale.growth_ratio) * (1 + scale.growth_ratio) - 1;
  Row row = trunk;
  row.curve = fmt::format("{}, held", trunk.curve);
  row.part = {"held growth", row.curve};
  row.options["hold-stages"] = text(std::int64_t{1});
  row.options["growth-ratio"] = text(std::round(1e4 * ratio) / 1e4);
  return row;
}

/// The first growth curve of growth_rules and its dense run, and control (b): the mask of every
/// stage on fresh weights, by the recipe with as many epochs as the whole growth path, as the dense
/// run has. d* is right if the mask at d* is within epsilon of dense and that of the stage before
/// is not. Beside it the path that holds every density.
std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  const rules::RuleScale scale = rules::rule_scale(request.scale);
  const std::int64_t epochs = scale.stages * scale.stage_epochs;
  const Row trunk = growth_curves(scale).front();
  std::vector<Row> rows{trunk, held(trunk, scale), dense_row(epochs)};
  for (std::int64_t stage = 0; stage < scale.stages; ++stage) {
    rows.push_back(
        {fmt::format("mask of stage {}", stage),
         {{"method", "fixed_mask"}, {"trunk-stage", text(stage)}, {"epochs", text(epochs)}},
         {"mask", "mask of a stage", {{"stage", static_cast<double>(stage)}}, trunk.curve}});
  }
  std::vector<ExperimentRun> runs = rule_runs(rows, scale, request);
  for (ExperimentRun& run : runs) {
    if (run.options.contains("trunk-stage")) {
      run.trunk = trunk.curve;
    }
  }
  return runs;
}

}  // namespace

ExperimentRuns extrapolation() { return {runs}; }

}  // namespace gcg::experiments
