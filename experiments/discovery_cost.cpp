#include "run_rows.h"

namespace {

using namespace gcg;

/// Sizes of one scale. The network a procedure ends with is trained by the whole recipe in all.
struct Scale {
  std::string network, width;
  int epochs;        ///< of the recipe
  int stage_epochs;  ///< limited training: a stage of growth, a round of iterative pruning
  double growth_ratio;
  std::string epsilon;           ///< what the scale's validation split can resolve
  std::string interval;          ///< between mask updates, in updates of batch 128
  std::vector<double> grid;      ///< that bisection searches: static ERK and RigL
  std::vector<double> one_shot;  ///< densities tried by pruning one dense network
  std::vector<double> gradual;   ///< ends of gradual pruning
  std::vector<int> rounds;       ///< of iterative pruning after which its network is trained
  std::int64_t seeds;
};

Scale scale_of(const std::string& name) {
  // Half an octave apart, as close as the stages of growth.
  const std::vector<double> grid{0.05, 0.1, 0.141421, 0.2, 0.282843, 0.4, 0.565685, 0.8};
  if (name == "smoke") {
    return {"resnet8", "4", 4, 1, 0.6, "0.02", "2", {0.1, 0.2, 0.4}, {0.2}, {0.1, 0.4}, {3}, 1};
  }
  if (name == "small") {
    return {
        "resnet8",     "8", 20, 3, 0.4, "0.02", "20", grid, {0.4, 0.2, 0.1}, {0.4, 0.2, 0.1, 0.05},
        {3, 6, 9, 12}, 3};
  }
  return {"resnet20",
          "16",
          160,
          16,
          0.25,
          "0.005",
          "100",
          grid,
          {0.8, 0.4, 0.2, 0.1, 0.05},
          {0.8, 0.4, 0.2, 0.1, 0.05},
          {3, 6, 9, 12},
          5};
}

std::string at(const char* procedure, double density) {
  return fmt::format("{}: density {:.3f}", procedure, density);
}

/// The networks that the procedures visit. Which of them a procedure would have trained, and so
/// what it costs, follows from their validation accuracies.
std::vector<Row> rows(const Scale& scale) {
  const std::string recipe = text(scale.epochs);
  std::vector<Row> rows{{"dense", {{"method", "dense"}, {"epochs", recipe}}}};
  // Grown until the fits say stop, then trained by the recipe.
  for (const char* final_training : {"continue", "rewind"}) {
    rows.push_back({fmt::format("GCG, weights {}", final_training[0] == 'c' ? "kept" : "rewound"),
                    {{"method", "gcg"},
                     {"disconnected", "repair"},
                     {"stage-epochs", text(scale.stage_epochs)},
                     {"growth-ratio", text(scale.growth_ratio)},
                     {"epsilon", scale.epsilon},
                     {"final", final_training},
                     {"epochs", recipe}}});
  }
  for (const double density : scale.grid) {
    const GivenOptions mask{
        {"seed-density", text(density)}, {"disconnected", "warn"}, {"epochs", recipe}};
    Row fixed{at("static ERK", density), mask};
    fixed.options.insert({{"method", "fixed_mask"}, {"seed-rule", "erk"}});
    Row rigl{at("RigL", density), mask};
    rigl.options.insert({{"method", "rigl"}, {"update-interval", scale.interval}});
    rows.push_back(std::move(fixed));
    rows.push_back(std::move(rigl));
  }
  // One round: the dense network pruned at once, weights kept, the whole recipe again.
  for (const double density : scale.one_shot) {
    rows.push_back({at("one-shot pruning", density),
                    {{"method", "imp"},
                     {"target-density", text(density)},
                     {"prune-fraction", text(1 - density)},
                     {"rewind", "rate"},
                     {"epochs", recipe}}});
  }
  for (const double density : scale.gradual) {
    rows.push_back({at("gradual pruning", density),
                    {{"method", "gmp"},
                     {"target-density", text(density)},
                     {"update-interval", scale.interval},
                     {"epochs", recipe}}});
  }
  // The shorter runs are beginnings of the longest one, whose rounds say where the accuracy drops;
  // they end with the network that stopping there would have given.
  for (const int rounds : scale.rounds) {
    // A little above the round's density, so that rounding makes no further round.
    const double density = 1.0005 * std::pow(0.8, rounds);
    rows.push_back({at("IMP", density),
                    {{"method", "imp"},
                     {"target-density", text(density)},
                     {"rewind", "rate"},
                     {"round-epochs", text(scale.stage_epochs)},
                     {"epochs", recipe}}});
  }
  return rows;
}

/// What it costs to find a density within epsilon of dense: growth against searches by pruning and
/// by bisection, which are replayed on these runs.
std::vector<ExperimentRun> discovery_cost(const ExperimentRequest& request) {
  const Scale scale = scale_of(request.scale);
  return repeat(rows(scale), {{"network", scale.network}, {"width", scale.width}}, request,
                scale.seeds);
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::experiment_main(argc, argv,
                              {"discovery_cost",
                               "what it costs to find a density within epsilon of dense: growth, "
                               "pruning and bisection",
                               discovery_cost});
}
