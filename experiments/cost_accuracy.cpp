#include <algorithm>

#include "growth_default.h"

namespace gcg::experiments {

namespace {

/// Iterative pruning with rounds of E epochs and one training by the recipe: as many epochs as
/// growth in as many stages.
GivenOptions iterative(const GrowthScale& scale, double density, std::int64_t stage_epochs,
                       const std::string& rewind) {
  GivenOptions options{{"method", "imp"},
                       {"target-density", text(density)},
                       {"prune-fraction", text(scale.prune_fraction())},
                       {"rewind", rewind},
                       {"round-epochs", text(stage_epochs)},
                       {"epochs", text(scale.epochs)}};
  if (rewind == "weights") {
    // To the same update whatever E is: 1 % of the recipe.
    options["rewind-share"] = text(std::min(
        0.5, 0.01 * static_cast<double>(scale.epochs) / static_cast<double>(stage_epochs)));
  }
  return options;
}

/// Test accuracy over total cost: growth, iterative pruning and gradual pruning at equal E and
/// equal final training; a search by growing and returning; dense training of several lengths, from
/// which the analysis says what as many epochs of it as a method had would have reached.
std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  const Scale& sizes = request.scale;
  const GrowthScale scale = growth_scale(sizes);
  const std::vector<std::int64_t> paces = sizes.wholes("paces", 1, kMostEpochs);
  const std::vector<double> densities = sizes.numbers("densities", kFraction);
  const std::vector<double> further = sizes.numbers("further-densities", kFraction, true);
  const std::int64_t update_interval = update_interval_of(sizes);
  const bool own_stop = sizes.flag("own-stop");
  std::vector<Row> rows;
  const auto add = [&](const std::string& role, const std::string& method, double density,
                       std::int64_t stage_epochs, GivenOptions options) {
    rows.push_back(
        {fmt::format("{}: density {:.2f}: E {}", method, density, stage_epochs),
         std::move(options),
         {role, method, {{"density", density}, {"E", static_cast<double>(stage_epochs)}}}});
  };
  const auto add_growth = [&](double density, std::int64_t stage_epochs) {
    add("growth", "growth", density, stage_epochs,
        growth_to(scale, density, {{"stage-epochs", text(stage_epochs)}}));
  };
  for (const double density : densities) {
    for (const std::int64_t stage_epochs : paces) {
      add_growth(density, stage_epochs);
      add("method", "IMP, weights rewound", density, stage_epochs,
          iterative(scale, density, stage_epochs, "weights"));
      add("method", "IMP, rate rewound", density, stage_epochs,
          iterative(scale, density, stage_epochs, "rate"));
      add("method", "IMP, fine-tuned", density, stage_epochs,
          iterative(scale, density, stage_epochs, "none"));
      add("method", "gradual pruning", density, stage_epochs,
          {{"method", "gmp"},
           {"target-density", text(density)},
           {"update-interval", text(update_interval)},
           {"epochs",
            text(stage_epochs * rounds(density, scale.prune_fraction()) + scale.epochs)}});
    }
  }
  for (const double density : further) {
    add_growth(density, scale.stage_epochs);
    add("method", "IMP, rate rewound", density, scale.stage_epochs,
        iterative(scale, density, scale.stage_epochs, "rate"));
  }
  if (own_stop) {
    // To the density it finds itself.
    for (const std::int64_t stage_epochs : paces) {
      rows.push_back(
          {fmt::format("growth, own stop: E {}", stage_epochs),
           growth_to(scale, 1, {{"stop", "extrapolation"}, {"stage-epochs", text(stage_epochs)}}),
           {"own stop", "growth, own stop", {{"E", static_cast<double>(stage_epochs)}}}});
    }
  }
  // The density that a search finds for half of a dense training, at every pace.
  for (const std::int64_t stage_epochs : paces) {
    rows.push_back({fmt::format("grow, then return: E {}", stage_epochs),
                    {{"method", "grow_return"},
                     {"disconnected", "repair"},
                     {"stage-epochs", text(stage_epochs)},
                     {"epochs", text(scale.epochs)}},
                    {"search", "grow, then return", {{"E", static_cast<double>(stage_epochs)}}}});
  }
  rows.push_back(dense_row(scale.epochs));
  for (const std::int64_t longer : sizes.wholes("longer-epochs", 1, kMostEpochs, true)) {
    Row row = dense_row(longer);
    row.curve = fmt::format("dense, {} epochs", longer);
    row.part.family = "dense, other length";
    rows.push_back(std::move(row));
  }
  return repeat(rows, scale.common, request);
}

}  // namespace

ExperimentRuns cost_accuracy() { return {runs}; }

}  // namespace gcg::experiments
