#include <cmath>

#include "run_rows.h"

namespace gcg::experiments {

namespace {

/// A search of one family at one density.
Row search(const std::string& family, double density, GivenOptions options) {
  return {fmt::format("{}: density {:.3f}", family, density),
          std::move(options),
          {"method", family, {{"density", density}}}};
}

/// The networks that the procedures visit. Which of them a procedure would have trained, and so
/// what it costs, follows from their validation accuracies.
std::vector<Row> rows(const Scale& scale) {
  const std::int64_t epochs = epochs_of(scale);
  const std::string recipe = text(epochs);
  const std::string stage_epochs = text(epochs_of(scale, "stage-epochs"));
  const std::string interval = text(update_interval_of(scale));
  std::vector<Row> rows{dense_row(epochs)};
  // Grown until the fits say stop, then trained by the recipe.
  for (const auto& [final_training, weights] :
       {std::pair{"continue", "kept"}, std::pair{"rewind", "rewound"}}) {
    const std::string name = fmt::format("GCG, weights {}", weights);
    rows.push_back({name,
                    {{"method", "gcg"},
                     {"disconnected", "repair"},
                     {"stage-epochs", stage_epochs},
                     {"growth-ratio", text(growth_ratio_of(scale))},
                     {"epsilon", number_text(epsilon_of(scale))},
                     {"final", final_training},
                     {"epochs", recipe}},
                    {"growth", name}});
  }
  // The validation loss decides: on the way back from a peak, and on the way from dense.
  const GivenOptions stages{
      {"method", "grow_return"}, {"stage-epochs", stage_epochs}, {"epochs", recipe}};
  rows.push_back({"grow, then return",
                  with(stages, {{"disconnected", "repair"}}),
                  {"search", "grow, then return"}});
  rows.push_back({"IMP until the loss turns",
                  with(stages, {{"seed-rule", "dense"},
                                {"seed-density", "1"},
                                {"peak-density", "1"},
                                {"budget-share", "100"}}),
                  {"search", "IMP until the loss turns"}});
  // What longer training alone does.
  for (const std::int64_t longer : scale.wholes("longer-epochs", 1, kMostEpochs, true)) {
    rows.push_back({fmt::format("dense, {} epochs", longer),
                    {{"method", "dense"}, {"epochs", text(longer)}},
                    {"longer", "dense", {{"epochs", static_cast<double>(longer)}}}});
  }
  for (const double density : scale.numbers("grid", kFraction)) {
    const GivenOptions mask{
        {"seed-density", text(density)}, {"disconnected", "warn"}, {"epochs", recipe}};
    rows.push_back(search("static ERK", density,
                          with({{"method", "fixed_mask"}, {"seed-rule", "erk"}}, mask)));
    rows.push_back(
        search("RigL", density, with({{"method", "rigl"}, {"update-interval", interval}}, mask)));
  }
  // One round: the dense network pruned at once, weights kept, the whole recipe again.
  for (const double density : scale.numbers("one-shot", kFraction)) {
    rows.push_back(search("one-shot pruning", density,
                          {{"method", "imp"},
                           {"target-density", text(density)},
                           {"prune-fraction", text(1 - density)},
                           {"rewind", "rate"},
                           {"epochs", recipe}}));
  }
  for (const double density : scale.numbers("gradual", kFraction)) {
    rows.push_back(search("gradual pruning", density,
                          {{"method", "gmp"},
                           {"target-density", text(density)},
                           {"update-interval", interval},
                           {"epochs", recipe}}));
  }
  // The shorter runs are beginnings of the longest one, whose rounds say where the accuracy drops;
  // they end with the network that stopping there would have given.
  for (const std::int64_t rounds : scale.wholes("rounds", 1, 100)) {
    // A little above the round's density, so that rounding makes no further round.
    const double density = 1.0005 * std::pow(0.8, rounds);
    rows.push_back(search("IMP", density,
                          {{"method", "imp"},
                           {"target-density", text(density)},
                           {"rewind", "rate"},
                           {"round-epochs", stage_epochs},
                           {"epochs", recipe}}));
  }
  return rows;
}

/// What it costs to find a density within epsilon of dense: growth against searches by pruning and
/// by bisection, which are replayed on these runs.
std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  return repeat(rows(request.scale), request.scale.options(), request);
}

}  // namespace

ExperimentRuns discovery_cost() { return {runs}; }

}  // namespace gcg::experiments
