#include "growth_runs.h"

namespace gcg::experiments {

namespace {

/// The growth paths of growth_rules: their masks are measured here.
std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  const rules::RuleScale scale = rules::rule_scale(request.scale);
  return rules::rule_runs(rules::growth_curves(scale), scale, request);
}

}  // namespace

ExperimentRuns bottleneck() { return {runs}; }

}  // namespace gcg::experiments
