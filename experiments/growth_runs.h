#pragma once

#include <algorithm>

#include "run_rows.h"

/// The growth paths of growth_rules, which bottleneck measures too: one set of runs.
namespace gcg::rules {

/// Sizes of one scale on the study's data.
struct RuleScale {
  GivenOptions common;  ///< network, width and recipe
  std::int64_t stages, stage_epochs;
  double growth_ratio;
  double epsilon;  ///< what the scale's validation split can resolve
  std::vector<std::string> curves;
  std::vector<double> mask_densities;  ///< of random masks trained once by the recipe
};

/// Every growth path there is: rule, selection and distribution over layers.
inline std::vector<Row> growth_paths() {
  return {
      {"path, sampled", {{"growth-rule", "path"}}, {}},
      {"random", {{"growth-rule", "random"}}, {}},
      {"path, greedy", {{"growth-rule", "path"}, {"selection", "greedy"}}, {}},
      {"gradient, greedy", {{"growth-rule", "gradient"}, {"selection", "greedy"}}, {}},
      {"random, path's layer counts", {{"growth-rule", "random"}, {"quotas", "path"}}, {}},
      {"path_l2, sampled", {{"growth-rule", "path_l2"}}, {}},
      {"gradient, sampled", {{"growth-rule", "gradient"}}, {}},
      {"path, ERK layer counts", {{"growth-rule", "path"}, {"quotas", "erk"}}, {}},
      {"random, ERK layer counts", {{"growth-rule", "random"}, {"quotas", "erk"}}, {}},
  };
}

inline RuleScale rule_scale(const Scale& scale) {
  std::vector<std::string> known;
  for (const Row& row : growth_paths()) {
    known.push_back(row.curve);
  }
  return {scale.options(),
          scale.whole("stages", 1, 1000),
          epochs_of(scale, "stage-epochs"),
          growth_ratio_of(scale),
          epsilon_of(scale),
          scale.words("curves", known),
          scale.numbers("mask-densities", kFraction, true)};
}

/// The scale's growth paths, in its order.
inline std::vector<Row> growth_curves(const RuleScale& scale) {
  const std::vector<Row> all = growth_paths();
  std::vector<Row> curves;
  for (const std::string& name : scale.curves) {
    Row curve = *std::ranges::find(all, name, &Row::curve);
    curve.part = {"growth", name};
    // Narrow networks have units that no walk of the seed meets: they are repaired, count
    // unchanged.
    curve.options.insert({{"method", "gcg"},
                          {"disconnected", "repair"},
                          {"stage-epochs", text(scale.stage_epochs)},
                          {"growth-ratio", text(scale.growth_ratio)},
                          {"max-stages", text(scale.stages)},
                          {"epsilon", number_text(scale.epsilon)},
                          {"stop", "never"},
                          {"final", "none"}});
    curves.push_back(std::move(curve));
  }
  return curves;
}

/// The rows at every seed.
inline std::vector<ExperimentRun> rule_runs(const std::vector<Row>& rows, const RuleScale& scale,
                                            const ExperimentRequest& request) {
  std::vector<ExperimentRun> runs = repeat(rows, scale.common, request);
  for (ExperimentRun& run : runs) {
    leave_out_schedule(run.options);
  }
  return runs;
}

}  // namespace gcg::rules
