#include "growth_runs.h"

namespace {

/// The growth paths of growth_rules: their masks are measured here.
std::vector<gcg::ExperimentRun> bottleneck(const gcg::ExperimentRequest& request) {
  const gcg::rules::RuleScale scale = gcg::rules::rule_scale(request);
  return gcg::rules::rule_runs(gcg::rules::growth_curves(request), scale, request);
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::experiment_main(
      argc, argv,
      {"bottleneck",
       "tau-core, dead units, effective density and diversity of masks over "
       "density, by growth rule",
       bottleneck});
}
