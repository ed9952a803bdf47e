#pragma once

#include "run_rows.h"

/// The growth paths of growth_rules, which bottleneck measures too: one set of runs.
namespace gcg::rules {

/// Sizes of one scale on the study's data.
struct RuleScale {
  GivenOptions common;  ///< network, width and recipe
  int stages;
  std::string stage_epochs;
  double growth_ratio;
  std::string epsilon;  ///< what the scale's validation split can resolve
  std::int64_t seeds;
};

inline RuleScale rule_scale(const ExperimentRequest& request) {
  const StudyNetwork network = study_network(request);
  if (request.scale == "smoke") {
    return {network.options(), 6, "1", 0.6, "0.02", 1};
  }
  if (request.scale == "small") {
    return {network.options(), 9, "3", 0.4, "0.02", 3};
  }
  return {network.options(), 14, fmt::format("{}", network.epochs / 10), 0.25, "0.005", 5};
}

/// Growth by every rule, selection and distribution over layers of a scale.
inline std::vector<Row> growth_curves(const ExperimentRequest& request) {
  const RuleScale scale = rule_scale(request);
  const std::string& name = request.scale;
  std::vector<Row> curves{
      {"path, sampled", {{"growth-rule", "path"}}},
      {"random", {{"growth-rule", "random"}}},
      {"path, greedy", {{"growth-rule", "path"}, {"selection", "greedy"}}},
  };
  if (name != "smoke") {
    curves.push_back({"gradient, greedy", {{"growth-rule", "gradient"}, {"selection", "greedy"}}});
    curves.push_back(
        {"random, path's layer counts", {{"growth-rule", "random"}, {"quotas", "path"}}});
  }
  if (name == "full") {
    curves.push_back({"path_l2, sampled", {{"growth-rule", "path_l2"}}});
    curves.push_back({"gradient, sampled", {{"growth-rule", "gradient"}}});
    curves.push_back({"path, ERK layer counts", {{"growth-rule", "path"}, {"quotas", "erk"}}});
    curves.push_back({"random, ERK layer counts", {{"growth-rule", "random"}, {"quotas", "erk"}}});
  }
  for (Row& curve : curves) {
    // Narrow networks have units that no walk of the seed meets: they are repaired, count
    // unchanged.
    curve.options.insert({{"method", "gcg"},
                          {"disconnected", "repair"},
                          {"stage-epochs", scale.stage_epochs},
                          {"growth-ratio", fmt::format("{}", scale.growth_ratio)},
                          {"max-stages", fmt::format("{}", scale.stages)},
                          {"epsilon", scale.epsilon},
                          {"stop", "never"},
                          {"final", "none"}});
  }
  return curves;
}

/// The rows at every seed. The recipe's warm-up is for trainings by the recipe, which say their
/// epochs: stages and cycles have one of their own.
inline std::vector<ExperimentRun> rule_runs(const std::vector<Row>& rows, const RuleScale& scale,
                                            const ExperimentRequest& request) {
  std::vector<ExperimentRun> runs = repeat(rows, scale.common, request, scale.seeds);
  for (ExperimentRun& run : runs) {
    if (!run.options.contains("epochs")) {
      run.options.erase("warmup");
    }
  }
  return runs;
}

}  // namespace gcg::rules
