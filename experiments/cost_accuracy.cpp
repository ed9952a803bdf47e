#include <algorithm>

#include "growth_default.h"

namespace {

using namespace gcg;

/// What is compared: epochs E per stage or round, densities, and the densities of the whole grid.
struct Grid {
  std::vector<int> stage_epochs;
  std::vector<double> densities;  ///< every method at every E
  double second;                  ///< fewer methods, at the default E; 0: none
  int longer_epochs;              ///< of a second dense training
  std::string interval;           ///< between mask updates, in updates of batch 128
};

Grid grid_of(const std::string& scale) {
  if (scale == "smoke") {
    return {{1, 2}, {0.2}, 0, 6, "2"};
  }
  if (scale == "small") {
    return {{1, 2, 4}, {0.2}, 0.4, 27, "20"};  // 27: the dense run of growth_rules
  }
  return {{4, 8, 16}, {0.4, 0.2, 0.1}, 0, 320, "100"};
}

/// Iterative pruning with rounds of E epochs and one training by the recipe: as many epochs as
/// growth in as many stages.
GivenOptions iterative(const GrowthScale& scale, double density, int stage_epochs,
                       const std::string& rewind) {
  GivenOptions options{{"method", "imp"},
                       {"target-density", text(density)},
                       {"prune-fraction", text(scale.prune_fraction)},
                       {"rewind", rewind},
                       {"round-epochs", text(stage_epochs)},
                       {"epochs", text(scale.epochs)}};
  if (rewind == "weights") {
    // To the same update whatever E is: 1 % of the recipe.
    options["rewind-share"] = text(std::min(0.5, 0.01 * scale.epochs / stage_epochs));
  }
  return options;
}

/// Test accuracy over total cost: growth, iterative pruning and gradual pruning at equal E and
/// equal final training.
std::vector<ExperimentRun> cost_accuracy(const ExperimentRequest& request) {
  const GrowthScale scale = growth_scale(request.scale);
  const Grid grid = grid_of(request.scale);
  std::vector<Row> rows;
  const auto add = [&](const std::string& method, double density, int stage_epochs,
                       GivenOptions options) {
    rows.push_back({fmt::format("{}: density {:.2f}: E {}", method, density, stage_epochs),
                    std::move(options)});
  };
  const auto add_growth = [&](double density, int stage_epochs) {
    add("growth", density, stage_epochs,
        growth_to(scale, density, {{"stage-epochs", text(stage_epochs)}}));
  };
  for (const double density : grid.densities) {
    for (const int stage_epochs : grid.stage_epochs) {
      add_growth(density, stage_epochs);
      add("IMP, weights rewound", density, stage_epochs,
          iterative(scale, density, stage_epochs, "weights"));
      add("IMP, rate rewound", density, stage_epochs,
          iterative(scale, density, stage_epochs, "rate"));
      add("IMP, fine-tuned", density, stage_epochs,
          iterative(scale, density, stage_epochs, "none"));
      add("gradual pruning", density, stage_epochs,
          {{"method", "gmp"},
           {"target-density", text(density)},
           {"update-interval", grid.interval},
           {"epochs", text(stage_epochs * rounds(density, scale.prune_fraction) + scale.epochs)}});
    }
  }
  if (grid.second > 0) {
    add_growth(grid.second, scale.stage_epochs);
    add("IMP, rate rewound", grid.second, scale.stage_epochs,
        iterative(scale, grid.second, scale.stage_epochs, "rate"));
  }
  if (request.scale == "full") {
    // To the density it finds itself.
    for (const int stage_epochs : grid.stage_epochs) {
      rows.push_back(
          {fmt::format("growth, own stop: E {}", stage_epochs),
           growth_to(scale, 1, {{"stop", "extrapolation"}, {"stage-epochs", text(stage_epochs)}})});
    }
  }
  rows.push_back({"dense", {{"method", "dense"}, {"epochs", text(scale.epochs)}}});
  rows.push_back({"dense, longer", {{"method", "dense"}, {"epochs", text(grid.longer_epochs)}}});
  return repeat(rows, common_options(scale), request, scale.seeds);
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::experiment_main(argc, argv,
                              {"cost_accuracy",
                               "accuracy over total cost: growth, iterative and gradual pruning at "
                               "equal epochs per stage and equal final training",
                               cost_accuracy});
}
