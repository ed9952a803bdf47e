#include <algorithm>
#include <string>

#include "growth_runs.h"

namespace {

using namespace gcg;
using namespace gcg::rules;

/// Constant densities of the growth path: every second stage, every stage from 0.19 on, and 1:
/// enough to see where the control flattens.
std::vector<double> control_densities(const RuleScale& scale) {
  std::vector<double> densities;
  double density = 0.05;
  for (int stage = 0; stage < scale.stages; ++stage) {
    if (stage % 2 == 0 || density > 0.19) {
      densities.push_back(std::min(1.0, density));
    }
    density *= 1 + scale.growth_ratio;
  }
  densities.push_back(1);
  return densities;
}

/// Growth curves by rule, selection and layer counts; controls of constant density in the same
/// cycles; dense training by the recipe with as many epochs.
std::vector<ExperimentRun> growth_rules(const ExperimentRequest& request) {
  const RuleScale scale = rule_scale(request.scale);
  const std::string stages = fmt::format("{}", scale.stages);
  const std::string epochs = fmt::format("{}", scale.stages * std::stoi(scale.stage_epochs));
  std::vector<Row> curves = growth_curves(request.scale);
  for (const double density : control_densities(scale)) {
    Row curve{fmt::format("control: density {:.3f}", density),
              {{"method", "fixed_mask"},
               {"seed-density", fmt::format("{:.6f}", density)},
               {"cycles", stages},
               {"stage-epochs", scale.stage_epochs}}};
    if (density < 1) {
      curve.options["disconnected"] = "repair";
    } else {
      curve.options["seed-rule"] = "dense";
    }
    curves.push_back(std::move(curve));
  }
  // Random masks by the recipe, once, in as many epochs as a whole growth path.
  for (const double density : {0.1, 0.4}) {
    for (const char* rule : {"phew", "erk"}) {
      if (request.scale != "smoke") {
        curves.push_back({fmt::format("{} mask, recipe: density {:.2f}", rule, density),
                          {{"method", "fixed_mask"},
                           {"seed-rule", rule},
                           {"seed-density", fmt::format("{}", density)},
                           {"disconnected", "repair"},
                           {"epochs", epochs}}});
      }
    }
  }
  curves.push_back({"dense", {{"method", "dense"}, {"epochs", epochs}}});
  return repeat(curves, common_options(scale), request, scale.seeds);
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::experiment_main(argc, argv,
                              {"growth_rules",
                               "accuracy over density along the growth path: rule x selection x "
                               "layer counts, with controls",
                               growth_rules});
}
