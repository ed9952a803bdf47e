#include <cmath>

#include "run_rows.h"

namespace gcg::experiments {

namespace {

Row row(const std::string& name, const std::string& role, GivenOptions options) {
  return {name, std::move(options), {role, name}};
}

/// Searches for a density that are paid with a share of one dense training, against dense training
/// of several lengths and against what else their cost buys. Aims, stated before any run: grown and
/// returned minus dense not below -1 point, at most .35 of its density x epochs, the density found
/// within a factor 1.6 over seeds, cheaper than iterative pruning by the same rule at equal
/// accuracy.
std::vector<Row> rows(const Scale& scale) {
  const std::int64_t recipe = epochs_of(scale);
  const std::string epochs = text(recipe);
  const std::string peak = number_text(scale.number("peak-density", kFraction));
  const GivenOptions stages{{"stage-epochs", text(epochs_of(scale, "stage-epochs"))},
                            {"epochs", epochs}};
  const GivenOptions grown = with(stages, {{"disconnected", "repair"}});
  std::vector<Row> rows{dense_row(recipe)};
  for (const std::int64_t longer : scale.wholes("longer-epochs", 1, kMostEpochs, true)) {
    rows.push_back({fmt::format("dense, {} epochs", longer),
                    {{"method", "dense"}, {"epochs", text(longer)}},
                    {"dense", "dense", {{"epochs", static_cast<double>(longer)}}}});
  }
  rows.push_back(row("grow, then return", "search",
                     with(grown, {{"method", "grow_return"}, {"peak-density", peak}})));
  for (const double budget : scale.numbers("budgets", kPositive, true)) {
    rows.push_back({fmt::format("growth, budget {:.2f}", budget),
                    with(grown, {{"method", "grow_budget"},
                                 {"final-share", "1"},
                                 {"budget-share", number_text(budget)}}),
                    {"search", "growth, budget", {{"budget", budget}}}});
  }
  // The same way back from masks of the peak's density that never were sparser, trained as long as
  // growth costs, and from the dense network, whatever that costs.
  const std::int64_t cycles = scale.whole("static-stages", 1, 1000);
  rows.push_back(row("static mask", "trunk",
                     {{"method", "fixed_mask"},
                      {"disconnected", "repair"},
                      {"seed-density", peak},
                      {"cycles", text(cycles)},
                      {"stage-epochs", stages.at("stage-epochs")}}));
  rows.push_back(row("static mask, then return", "search",
                     with(stages, {{"method", "grow_return"},
                                   {"peak-density", peak},
                                   {"trunk-stage", text(cycles - 1)}})));
  rows.push_back(row("IMP until the loss turns", "search",
                     with(stages, {{"method", "grow_return"},
                                   {"seed-rule", "dense"},
                                   {"seed-density", "1"},
                                   {"peak-density", "1"},
                                   {"budget-share", "100"}})));
  rows.push_back(row("GCG, original rule", "growth",
                     with(grown, {{"method", "gcg"},
                                  {"growth-ratio", "0.4"},
                                  {"epsilon", number_text(epsilon_of(scale))}})));
  // What the same cost buys without a search.
  const double budget = scale.number("equal-budget", kPositive);
  const double density = scale.number("equal-density", kFraction);
  const GivenOptions mask{
      {"seed-rule", "erk"},
      {"seed-density", number_text(density)},
      {"disconnected", "warn"},
      {"epochs", text(std::int64_t{std::lround(budget * static_cast<double>(recipe) / density)})}};
  rows.push_back(row("static ERK, equal cost", "method", with(mask, {{"method", "fixed_mask"}})));
  rows.push_back(
      row("RigL, equal cost", "method",
          with(mask, {{"method", "rigl"}, {"update-interval", text(update_interval_of(scale))}})));
  return rows;
}

std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  std::vector<ExperimentRun> runs = repeat(rows(request.scale), request.scale.options(), request);
  for (ExperimentRun& run : runs) {
    run.trunk = run.curve == "static mask, then return" ? "static mask" : "";
    leave_out_schedule(run.options);
  }
  return runs;
}

}  // namespace

ExperimentRuns grow_return() { return {runs}; }

}  // namespace gcg::experiments
