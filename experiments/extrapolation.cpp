#include "growth_runs.h"

namespace gcg::experiments {

namespace {

/// The first growth curve of growth_rules and its dense run, and control (b): the mask of every
/// stage on fresh weights, by the recipe with as many epochs as the whole growth path, as the dense
/// run has. d* is right if the mask at d* is within epsilon of dense and that of the stage before
/// is not.
std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  const rules::RuleScale scale = rules::rule_scale(request.scale);
  const std::int64_t epochs = scale.stages * scale.stage_epochs;
  const Row trunk = growth_curves(scale).front();
  std::vector<Row> rows{trunk, dense_row(epochs)};
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
