#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "study/experiment.h"

namespace {

using gcg::ExperimentRequest;
using gcg::ExperimentRun;
using gcg::GivenOptions;

/// Sizes of one scale. Every method has the same epochs in all.
struct Scale {
  int epochs;
  int growth_stages;  ///< of `stage_epochs` each, from a fifth of the target to the target
  int stage_epochs;
  std::string interval, long_interval;  ///< between mask updates, in updates of batch 128
  std::string turn;                     ///< of AC/DC
  std::vector<double> densities;
  std::int64_t seeds;
};

Scale scale_of(const ExperimentRequest& request) {
  if (request.scale == "smoke") {
    return {10, 5, 1, "2", "4", "0.05", {0.2}, 1};
  }
  if (request.scale == "small") {
    return {20, 5, 1, "20", "100", "0.05", {0.2, 0.1, 0.05}, 3};
  }
  const auto epochs = static_cast<int>(gcg::study_network(request).epochs);
  return {epochs, 8, epochs / 40, "100", "1000", "0.05", {0.2, 0.1, 0.05, 0.02}, 5};
}

struct Row {
  std::string name;
  GivenOptions options;
};

std::string text(double value) { return fmt::format("{:.6f}", value); }

std::string short_text(double density) { return fmt::format("{:.2f}", density); }

std::string cell(const std::string& row, const std::string& density) {
  return row + ": density " + density;
}

/// Rounds of iterative pruning by a fifth that reach a density.
int rounds(double density) {
  return static_cast<int>(std::ceil(std::log(density) / std::log(0.8)));
}

GivenOptions fixed(const std::string& rule, const std::string& density, GivenOptions more = {}) {
  more.insert({{"method", "fixed_mask"},
               {"seed-rule", rule},
               {"seed-density", density},
               {"disconnected", "warn"}});
  return more;
}

/// Growth towards the target in equal ratios (a little more, so that rounding makes no further
/// stage), then the recipe with the epochs that are left.
GivenOptions growth(const Scale& scale, double density, GivenOptions more) {
  const double ratio = std::pow(5.0, 1.0 / (scale.growth_stages - 1)) - 1;
  more.insert(
      {{"method", "gcg"},
       {"seed-density", text(density / 5)},
       {"disconnected", "warn"},
       {"growth-ratio", text(1.001 * ratio)},
       {"max-density", text(density)},
       {"stop", "never"},
       {"stage-epochs", fmt::format("{}", scale.stage_epochs)},
       {"epochs", fmt::format("{}", scale.epochs - scale.growth_stages * scale.stage_epochs)}});
  return more;
}

/// Iterative pruning within the epochs of all others: as many for the last training, the one that
/// counts, as the rounds before it leave at their equal share, at least one each.
GivenOptions iterative(const Scale& scale, double density, const std::string& rewind) {
  const int before = rounds(density);
  const int round = std::max(1, scale.epochs / (before + 1));
  GivenOptions options{{"method", "imp"},
                       {"target-density", text(density)},
                       {"rewind", rewind},
                       {"round-epochs", fmt::format("{}", round)},
                       {"epochs", fmt::format("{}", scale.epochs - before * round)}};
  if (rewind == "weights") {
    options["rewind-share"] = "0.1";
  }
  return options;
}

std::vector<Row> rows(const Scale& scale, double d) {
  const std::string density = text(d);
  const GivenOptions moves{{"seed-density", density}, {"disconnected", "warn"}};
  const auto with = [](GivenOptions options, const GivenOptions& more) {
    options.insert(more.begin(), more.end());
    return options;
  };
  const GivenOptions target{{"target-density", density}, {"update-interval", scale.interval}};
  GivenOptions hybrid = with(target, {{"method", "grow_reallocate"}});
  if (scale.growth_stages < 4) {
    hybrid["growth-stages"] = fmt::format("{}", scale.growth_stages);
  }
  return {
      {"small dense", {{"method", "small_dense"}, {"target-density", density}}},
      {"random, uniform", fixed("uniform", density)},
      {"random, ERK", fixed("erk", density)},
      {"PHEW", fixed("phew", density)},
      {"magnitude at start", fixed("magnitude", density)},
      {"SNIP", fixed("snip", density)},
      {"GraSP", fixed("grasp", density)},
      {"SynFlow", fixed("synflow", density)},
      {"control: SynFlow shuffled", fixed("synflow", density, {{"shuffle", "on"}})},
      {"SET", with(moves, {{"method", "set"}, {"update-interval", scale.interval}})},
      {"RigL", with(moves, {{"method", "rigl"}, {"update-interval", scale.interval}})},
      {"RigL, long intervals",
       with(moves, {{"method", "rigl"}, {"update-interval", scale.long_interval}})},
      {"GraNet", with(target, {{"method", "granet"}, {"disconnected", "warn"}})},
      {"gradual pruning", with(target, {{"method", "gmp"}})},
      {"AC/DC", {{"method", "acdc"}, {"target-density", density}, {"turn", scale.turn}}},
      {"IMP, weights rewound", iterative(scale, d, "weights")},
      {"IMP, rate rewound", iterative(scale, d, "rate")},
      {"growth, path", growth(scale, d, {})},
      {"growth, gradient",
       growth(scale, d, {{"growth-rule", "gradient"}, {"selection", "greedy"}})},
      {"growth, random", growth(scale, d, {{"growth-rule", "random"}})},
      {"grow, then reallocate", hybrid},
  };
}

/// Accuracy of every method at every density, equal epochs.
std::vector<ExperimentRun> methods_table(const ExperimentRequest& request) {
  const Scale scale = scale_of(request);
  GivenOptions common = gcg::study_network(request).options();
  common["epochs"] = fmt::format("{}", scale.epochs);
  std::vector<ExperimentRun> runs;
  const auto add = [&](const Row& row, const std::string& density, std::int64_t seed) {
    ExperimentRun run{density.empty() ? row.name : cell(row.name, density), row.options,
                      static_cast<std::uint64_t>(seed)};
    run.options.insert(common.begin(), common.end());
    runs.push_back(std::move(run));
  };
  const std::int64_t seeds = request.seeds > 0 ? request.seeds : scale.seeds;
  // Seeds outermost: an interrupted study has whole replicates.
  for (std::int64_t seed = 1; seed <= seeds; ++seed) {
    add({"dense", {{"method", "dense"}}}, "", seed);
    for (const double density : scale.densities) {
      for (const Row& row : rows(scale, density)) {
        add(row, short_text(density), seed);
      }
    }
  }
  return runs;
}

/// Every method ends at its density exactly and in equal epochs; at full scale there are published
/// accuracies of the network.
std::vector<gcg::Expected> expected(const ExperimentRequest& request) {
  const Scale scale = scale_of(request);
  std::vector<gcg::Expected> table{
      {"dense", "density", 1, 0, "dense"},
      {"dense", "epochs", static_cast<double>(scale.epochs), 0, "equal epochs for every method"}};
  for (const double density : scale.densities) {
    for (const Row& row : rows(scale, density)) {
      const std::string curve = cell(row.name, short_text(density));
      const std::string& method = row.options.at("method");
      if (method != "small_dense") {
        // Half a connection of the smallest network is more than the rounding of the count.
        table.push_back({curve, "density", density, 2e-4, "the target, rounded to a count"});
      }
      if (method == "fixed_mask" || method == "small_dense") {
        table.push_back({curve, "FLOPs of a pass", 1, 1e-9, "a mask that never changes"});
      }
      // A training that was rewound begins late in its first epoch or after it.
      if (method != "imp") {
        table.push_back({curve, "epochs", static_cast<double>(scale.epochs), 0,
                         "equal epochs for every method"});
      }
    }
  }
  const auto published = [&](const std::string& curve, double accuracy, double tolerance,
                             const std::string& source) {
    table.push_back(
        {curve, "test accuracy", accuracy, tolerance, source, "full", "cifar10", 50000});
  };
  // Published on all 50,000 training images; here a tenth of them is kept for validation.
  published("dense", 0.921, 0.012, "published ResNet-20: 91.7 to 92.5 %");
  for (const auto& [density, accuracy] :
       {std::pair{0.2, 0.883}, std::pair{0.1, 0.863}, std::pair{0.05, 0.836}}) {
    published(cell("random, uniform", short_text(density)), accuracy, 0.02,
              "published ResNet-20, random pruning");
  }
  return table;
}

}  // namespace

int main(int argc, char** argv) {
  gcg::Experiment experiment{"methods_table",
                             "accuracy of every method at fixed densities, equal epochs, with "
                             "cost relative to dense",
                             methods_table};
  experiment.any_data = true;
  experiment.expected = expected;
  return gcg::experiment_main(argc, argv, experiment);
}
