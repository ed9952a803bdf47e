#include <algorithm>
#include <string>

#include "growth_runs.h"

namespace gcg::experiments {

namespace {

using rules::RuleScale;

/// Constant densities of the growth path: every second stage, every stage from 0.19 on, and 1:
/// enough to see where the control flattens.
std::vector<double> control_densities(const RuleScale& scale) {
  std::vector<double> densities;
  double density = 0.05;
  for (std::int64_t stage = 0; stage < scale.stages && density < 1; ++stage) {
    if (stage % 2 == 0 || density > 0.19) {
      densities.push_back(density);
    }
    density *= 1 + scale.growth_ratio;
  }
  densities.push_back(1);
  return densities;
}

std::string control_name(double density) { return fmt::format("control: density {:.3f}", density); }

/// Growth curves by rule, selection and layer counts; controls of constant density in the same
/// cycles; dense training by the recipe with as many epochs.
std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  const RuleScale scale = rules::rule_scale(request.scale);
  const std::int64_t epochs = scale.stages * scale.stage_epochs;
  std::vector<Row> curves = growth_curves(scale);
  for (const double density : control_densities(scale)) {
    Row curve{control_name(density),
              {{"method", "fixed_mask"},
               {"seed-density", text(density)},
               {"cycles", text(scale.stages)},
               {"stage-epochs", text(scale.stage_epochs)}},
              {"control", "constant density", {{"density", density}}}};
    if (density < 1) {
      curve.options["disconnected"] = "repair";
    } else {
      curve.options["seed-rule"] = "dense";
    }
    curves.push_back(std::move(curve));
  }
  // Random masks by the recipe, once, in as many epochs as a whole growth path.
  for (const double density : scale.mask_densities) {
    for (const char* rule : {"phew", "erk"}) {
      curves.push_back({fmt::format("{} mask, recipe: density {:.2f}", rule, density),
                        {{"method", "fixed_mask"},
                         {"seed-rule", rule},
                         {"seed-density", text(density)},
                         {"disconnected", "repair"},
                         {"epochs", text(epochs)}},
                        {"mask", rule, {{"density", density}}}});
    }
  }
  curves.push_back(dense_row(epochs));
  return rule_runs(curves, scale, request);
}

/// What follows from the law of growth: the densities of a path and its cost, sum over stages of
/// E d0 (1 + r)^k, up to the rounding of counts; controls cost their density in every epoch.
std::vector<Expected> expected(const ExperimentRequest& request) {
  const RuleScale scale = rules::rule_scale(request.scale);
  constexpr double kSeed = 0.05;
  constexpr double kRounding = 0.01;  // of counts, relative
  const double r = scale.growth_ratio;
  const auto stages = static_cast<double>(scale.stages);
  const auto stage_epochs = static_cast<double>(scale.stage_epochs);
  const double epochs = stages * stage_epochs;
  const double last = std::min(1.0, kSeed * std::pow(1 + r, stages - 1));
  const double cost = stage_epochs * kSeed * (std::pow(1 + r, stages) - 1) / r;
  std::vector<Expected> table;
  for (const Row& row : growth_curves(scale)) {
    table.push_back({row.curve, "first density", kSeed, kRounding * kSeed, "the seed's density"});
    table.push_back({row.curve, "density", last, kRounding * last, "d0 (1 + r)^(stages - 1)"});
    table.push_back(
        {row.curve, "density x epochs", cost, kRounding * cost, "E d0 ((1 + r)^stages - 1) / r"});
  }
  for (const double density : control_densities(scale)) {
    const std::string curve = control_name(density);
    table.push_back({curve, "density x epochs", density * epochs, kRounding * density * epochs,
                     "density x stages x E"});
    table.push_back({curve, "FLOPs of a pass", 1, 1e-9, "a mask that never changes"});
  }
  table.push_back({"dense", "density", 1, 0, "dense"});
  table.push_back({"dense", "density x epochs", epochs, 1e-9, "stages x E"});
  table.push_back({"dense", "FLOPs of a pass", 1, 1e-9, "a mask that never changes"});
  return table;
}

}  // namespace

ExperimentRuns growth_rules() { return {runs, expected}; }

}  // namespace gcg::experiments
