#include "growth_runs.h"

namespace {

using namespace gcg;
using namespace gcg::rules;

/// The first growth curve of growth_rules and its dense run, and control (b): the mask of every
/// stage on fresh weights, by the recipe with as many epochs as the whole growth path, as the dense
/// run has. d* is right if the mask at d* is within epsilon of dense and that of the stage before
/// is not.
std::vector<ExperimentRun> extrapolation(const ExperimentRequest& request) {
  const RuleScale scale = rule_scale(request);
  const std::string epochs = text(scale.stages * std::stoi(scale.stage_epochs));
  const Row trunk = growth_curves(request).front();
  std::vector<Row> rows{trunk, {"dense", {{"method", "dense"}, {"epochs", epochs}}}};
  for (int stage = 0; stage < scale.stages; ++stage) {
    rows.push_back({fmt::format("mask of stage {}", stage),
                    {{"method", "fixed_mask"}, {"trunk-stage", text(stage)}, {"epochs", epochs}}});
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

int main(int argc, char** argv) {
  gcg::Experiment experiment{"extrapolation",
                             "the fit after every stage, d* and its interval against the masks "
                             "of the stages trained by the recipe; stopping rules replayed",
                             extrapolation};
  experiment.any_data = true;
  return gcg::experiment_main(argc, argv, experiment);
}
