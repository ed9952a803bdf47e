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
  int stages;
  int stage_epochs;
  double growth_ratio;
  std::string epsilon;  ///< what the scale's validation split can resolve
  std::int64_t seeds;
};

Scale scale_of(const ExperimentRequest& request) {
  if (request.scale == "smoke") {
    return {6, 1, 0.6, "0.02", 1};
  }
  if (request.scale == "small") {
    return {9, 3, 0.4, "0.02", 3};
  }
  const auto tenth = static_cast<int>(gcg::study_network(request).epochs / 10);
  return {14, tenth, 0.25, "0.005", 5};
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

std::string control_name(double density) { return fmt::format("control: density {:.3f}", density); }

/// Growth curves by rule, selection and layer counts; controls of constant density in the same
/// cycles; dense training by the recipe with as many epochs.
std::vector<ExperimentRun> growth_rules(const ExperimentRequest& request) {
  const Scale scale = scale_of(request);
  const std::string stages = fmt::format("{}", scale.stages);
  const GivenOptions common = gcg::study_network(request).options();
  const std::string stage_epochs = fmt::format("{}", scale.stage_epochs);
  const std::string epochs = fmt::format("{}", scale.stages * scale.stage_epochs);
  std::vector<Curve> curves = growth_curves(request.scale);
  for (Curve& curve : curves) {
    // Narrow networks have units that no walk of the seed meets: they are repaired, count
    // unchanged.
    curve.options.insert({{"method", "gcg"},
                          {"disconnected", "repair"},
                          {"stage-epochs", stage_epochs},
                          {"growth-ratio", fmt::format("{}", scale.growth_ratio)},
                          {"max-stages", stages},
                          {"epsilon", scale.epsilon},
                          {"stop", "never"},
                          {"final", "none"}});
  }
  for (const double density : control_densities(scale)) {
    Curve curve{control_name(density),
                {{"method", "fixed_mask"},
                 {"seed-density", fmt::format("{:.6f}", density)},
                 {"cycles", stages},
                 {"stage-epochs", stage_epochs}}};
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
      if (!curve.options.contains("epochs")) {
        run.options.erase("warmup");  // the recipe's: stages and cycles have their own
      }
      runs.push_back(std::move(run));
    }
  }
  return runs;
}

/// What follows from the law of growth: the densities of a path and its cost, sum over stages of
/// E d0 (1 + r)^k, up to the rounding of counts; controls cost their density in every epoch.
std::vector<gcg::Expected> expected(const ExperimentRequest& request) {
  const Scale scale = scale_of(request);
  constexpr double kSeed = 0.05;
  constexpr double kRounding = 0.01;  // of counts, relative
  const double r = scale.growth_ratio;
  const double epochs = scale.stages * scale.stage_epochs;
  const double last = std::min(1.0, kSeed * std::pow(1 + r, scale.stages - 1));
  const double cost = scale.stage_epochs * kSeed * (std::pow(1 + r, scale.stages) - 1) / r;
  std::vector<gcg::Expected> table;
  for (const Curve& curve : growth_curves(request.scale)) {
    table.push_back({curve.name, "first density", kSeed, kRounding * kSeed, "the seed's density"});
    table.push_back({curve.name, "density", last, kRounding * last, "d0 (1 + r)^(stages - 1)"});
    table.push_back(
        {curve.name, "density x epochs", cost, kRounding * cost, "E d0 ((1 + r)^stages - 1) / r"});
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

int main(int argc, char** argv) {
  gcg::Experiment experiment{"growth_rules",
                             "accuracy over density along the growth path: rule x selection x "
                             "layer counts, with controls",
                             growth_rules};
  experiment.any_data = true;
  experiment.expected = expected;
  return gcg::experiment_main(argc, argv, experiment);
}
