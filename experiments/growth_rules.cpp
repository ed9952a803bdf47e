#include <fmt/format.h>

#include "study/experiment.h"

namespace {

using gcg::ExperimentRequest;
using gcg::ExperimentRun;
using gcg::GivenOptions;

/// Sizes of one scale.
struct Scale {
  std::string network, width;
  int stages;
  std::string stage_epochs, growth_ratio, epochs;
  std::int64_t seeds;
};

Scale scale_of(const std::string& name) {
  if (name == "smoke") {
    return {"resnet8", "4", 5, "1", "0.4", "5", 1};
  }
  if (name == "small") {
    return {"resnet8", "8", 7, "4", "0.4", "28", 3};
  }
  return {"resnet20", "16", 14, "16", "0.25", "160", 5};
}

/// Growth curves by rule, selection and layer quotas; the control of constant density at the density
/// of every stage, trained in the same cycles; and dense training by the recipe.
std::vector<ExperimentRun> growth_rules(const ExperimentRequest& request) {
  const Scale scale = scale_of(request.scale);
  const GivenOptions common{{"network", scale.network}, {"width", scale.width}, {"epochs", scale.epochs}};
  std::vector<std::pair<std::string, GivenOptions>> curves;
  const auto grow = [&](const std::string& curve, GivenOptions options) {
    options.insert({{"method", "gcg"},
                    {"stage-epochs", scale.stage_epochs},
                    {"growth-ratio", scale.growth_ratio},
                    {"max-stages", fmt::format("{}", scale.stages)},
                    {"stop", "never"},
                    {"final", "none"}});
    curves.emplace_back(curve, options);
  };
  grow("path, sampled", {{"growth-rule", "path"}});
  grow("random", {{"growth-rule", "random"}});
  grow("path, greedy", {{"growth-rule", "path"}, {"selection", "greedy"}});
  if (request.scale != "smoke") {
    grow("gradient, greedy", {{"growth-rule", "gradient"}, {"selection", "greedy"}});
    grow("random, path's layer counts", {{"growth-rule", "random"}, {"quotas", "path"}});
  }
  if (request.scale == "full") {
    grow("path_l2, sampled", {{"growth-rule", "path_l2"}});
    grow("gradient, sampled", {{"growth-rule", "gradient"}});
    grow("path, sampled, ERK layer counts", {{"growth-rule", "path"}, {"quotas", "erk"}});
    grow("random, ERK layer counts", {{"growth-rule", "random"}, {"quotas", "erk"}});
  }
  double density = 0.05;
  for (int stage = 0; stage < scale.stages; ++stage) {
    // A reader sees where the control flattens from every second density.
    if (stage % 2 == 0 || request.scale == "small") {
      curves.emplace_back(fmt::format("control: density {:.3f}", density),
                          GivenOptions{{"method", "fixed_mask"},
                                       {"seed-density", fmt::format("{:.6f}", density)},
                                       {"cycles", fmt::format("{}", scale.stages)},
                                       {"stage-epochs", scale.stage_epochs}});
    }
    density = std::min(1.0, density * (1 + std::stod(scale.growth_ratio)));
  }
  curves.emplace_back("dense", GivenOptions{{"method", "dense"}});
  std::vector<ExperimentRun> runs;
  const std::int64_t seeds = request.seeds > 0 ? request.seeds : scale.seeds;
  // Seeds outermost: an interrupted study has whole replicates.
  for (std::int64_t seed = 1; seed <= seeds; ++seed) {
    for (const auto& [curve, options] : curves) {
      ExperimentRun run{curve, options, static_cast<std::uint64_t>(seed)};
      run.options.insert(common.begin(), common.end());
      runs.push_back(std::move(run));
    }
  }
  return runs;
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::experiment_main(
      argc, argv,
      {"growth_rules",
       "accuracy over density along the growth path: rule x selection x layer counts, with controls",
       growth_rules});
}
