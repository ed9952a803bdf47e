#include "run/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "run/execute.h"
#include "train/cost.h"

namespace gcg {

namespace {

double seconds(const CostRecord& cost) { return cost.train_seconds + cost.grow_seconds; }

/// The dense training that the options' method is measured by: without the method's own options.
GivenOptions dense_options(GivenOptions given, std::int64_t epochs) {
  for (const OptionDescription& option : all_run_options()) {
    const bool of_methods = !option.owners.empty() && option.owners.front().starts_with("method ");
    if (of_methods && std::ranges::find(option.owners, "method dense") == option.owners.end()) {
      given.erase(option.name);
    }
  }
  given["method"] = "dense";
  given["epochs"] = fmt::format("{}", epochs);
  return given;
}

}  // namespace

Calibration calibrate(GivenOptions given, std::int64_t epochs) {
  given.erase("budget");
  given.erase("cost-ratio");
  const std::int64_t all = make_run_plan(given)->settings.recipe.epochs;
  if (epochs < 1 || epochs > all) {
    throw UsageError("--calibrate", fmt::format("{} epochs of the recipe's {}", epochs, all),
                     "name the epochs of each of the two runs");
  }
  const std::unique_ptr<RunPlan> dense = make_run_plan(dense_options(given, epochs));
  if (epochs < all) {
    given["budget"] = "flops";
    given["cost-ratio"] = fmt::format("{}", static_cast<double>(all) / static_cast<double>(epochs));
  }
  const std::unique_ptr<RunPlan> method = make_run_plan(given);
  const CostRecord of_dense = execute(*dense).cost;
  const CostRecord of_method = execute(*method).cost;
  return {recorded_flops(of_method) / recorded_flops(of_dense),
          seconds(of_method) / seconds(of_dense), method->folder().string(),
          dense->folder().string()};
}

std::string calibration_text(const Calibration& calibration, const Recipe& recipe) {
  std::string text =
      fmt::format("method {}\ndense  {}\n", calibration.method_run, calibration.dense_run);
  for (const auto& [budget, ratio] : {std::pair<std::string, double>{"flops", calibration.flops},
                                      {"time", calibration.seconds}}) {
    Recipe paid = recipe;
    paid.budget = budget;
    paid.cost_ratio = ratio;
    text += fmt::format("--budget {} --cost-ratio {:.6g}   {} instead of {} epochs\n", budget,
                        ratio, with_budget(paid).epochs, recipe.epochs);
  }
  return text;
}

}  // namespace gcg
