#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "study/experiment.h"

namespace {

using gcg::ExperimentRequest;
using gcg::ExperimentRun;
using gcg::GivenOptions;

/// Sizes of one scale.
struct Scale {
  std::string network, width;
  int stages;
  std::string stage_epochs;
  double growth_ratio;
  std::string epsilon;  ///< what the scale's validation split can resolve
  std::int64_t seeds;
};

Scale scale_of(const std::string& name) {
  if (name == "smoke") {
    return {"resnet8", "4", 6, "1", 0.6, "0.02", 1};
  }
  if (name == "small") {
    return {"resnet8", "8", 9, "3", 0.4, "0.02", 3};
  }
  return {"resnet20", "16", 14, "16", 0.25, "0.005", 5};
}

struct Curve {
  std::string name;
  GivenOptions options;
};

std::vector<Curve> growth_curves(const std::string& scale) {
  std::vector<Curve> curves{
      {"path, sampled", {{"growth-rule", "path"}}},
      {"random", {{"growth-rule", "random"}}},
      {"path, greedy", {{"growth-rule", "path"}, {"selection", "greedy"}}},
  };
  if (scale != "smoke") {
    curves.push_back({"gradient, greedy", {{"growth-rule", "gradient"}, {"selection", "greedy"}}});
    curves.push_back(
        {"random, path's layer counts", {{"growth-rule", "random"}, {"quotas", "path"}}});
  }
  if (scale == "full") {
    curves.push_back({"path_l2, sampled", {{"growth-rule", "path_l2"}}});
    curves.push_back({"gradient, sampled", {{"growth-rule", "gradient"}}});
    curves.push_back({"path, ERK layer counts", {{"growth-rule", "path"}, {"quotas", "erk"}}});
    curves.push_back({"random, ERK layer counts", {{"growth-rule", "random"}, {"quotas", "erk"}}});
  }
  return curves;
}

/// Constant densities of the growth path: every second stage, every stage from 0.19 on, and 1:
/// enough to see where the control flattens.
std::vector<double> control_densities(const Scale& scale) {
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
  const Scale scale = scale_of(request.scale);
  const std::string stages = fmt::format("{}", scale.stages);
  const GivenOptions common{{"network", scale.network}, {"width", scale.width}};
  const std::string epochs = fmt::format("{}", scale.stages * std::stoi(scale.stage_epochs));
  std::vector<Curve> curves = growth_curves(request.scale);
  for (Curve& curve : curves) {
    // Narrow networks have units that no walk of the seed meets: they are repaired, count
    // unchanged.
    curve.options.insert({{"method", "gcg"},
                          {"disconnected", "repair"},
                          {"stage-epochs", scale.stage_epochs},
                          {"growth-ratio", fmt::format("{}", scale.growth_ratio)},
                          {"max-stages", stages},
                          {"epsilon", scale.epsilon},
                          {"stop", "never"},
                          {"final", "none"}});
  }
  for (const double density : control_densities(scale)) {
    Curve curve{fmt::format("control: density {:.3f}", density),
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

  std::vector<ExperimentRun> runs;
  const std::int64_t seeds = request.seeds > 0 ? request.seeds : scale.seeds;
  // Seeds outermost: an interrupted study has whole replicates.
  for (std::int64_t seed = 1; seed <= seeds; ++seed) {
    for (const Curve& curve : curves) {
      ExperimentRun run{curve.name, curve.options, static_cast<std::uint64_t>(seed)};
      run.options.insert(common.begin(), common.end());
      runs.push_back(std::move(run));
    }
  }
  return runs;
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::experiment_main(argc, argv,
                              {"growth_rules",
                               "accuracy over density along the growth path: rule x selection x "
                               "layer counts, with controls",
                               growth_rules});
}
