#pragma once

#include <algorithm>
#include <cmath>

#include "run_rows.h"

/// The methods of the table of methods at one density, in equal epochs: experiments that compare
/// some of them share their runs.
namespace gcg::table {

/// Sizes of one scale. Every method has the same epochs in all.
struct MethodScale {
  GivenOptions common;  ///< network, width and recipe
  int epochs;
  int growth_stages;  ///< of `stage_epochs` each, from a fifth of the target to the target
  int stage_epochs;
  std::string interval, long_interval;  ///< between mask updates, in updates of batch 128
  std::string turn;                     ///< of AC/DC
  std::vector<double> densities;
  std::int64_t seeds;
};

inline MethodScale method_scale(const ExperimentRequest& request) {
  const StudyNetwork network = study_network(request);
  const GivenOptions common = network.options();
  if (request.scale == "smoke") {
    return {common, 10, 5, 1, "2", "4", "0.05", {0.2}, 1};
  }
  if (request.scale == "small") {
    return {common, 20, 5, 1, "20", "100", "0.05", {0.2, 0.1, 0.05}, 3};
  }
  const auto epochs = static_cast<int>(network.epochs);
  return {common, epochs, 8, epochs / 40, "100", "1000", "0.05", {0.2, 0.1, 0.05, 0.02}, 5};
}

inline GivenOptions fixed(const std::string& rule, const std::string& density,
                          GivenOptions more = {}) {
  more.insert({{"method", "fixed_mask"},
               {"seed-rule", rule},
               {"seed-density", density},
               {"disconnected", "warn"}});
  return more;
}

/// Growth towards the target in equal ratios (a little more, so that rounding makes no further
/// stage), then the recipe with the epochs that are left.
inline GivenOptions growth(const MethodScale& scale, double density, GivenOptions more) {
  const double ratio = std::pow(5.0, 1.0 / (scale.growth_stages - 1)) - 1;
  more.insert({{"method", "gcg"},
               {"seed-density", text(density / 5)},
               {"disconnected", "warn"},
               {"growth-ratio", text(1.001 * ratio)},
               {"max-density", text(density)},
               {"stop", "never"},
               {"stage-epochs", text(scale.stage_epochs)},
               {"epochs", text(scale.epochs - scale.growth_stages * scale.stage_epochs)}});
  return more;
}

/// Iterative pruning within the epochs of all others: as many for the last training, the one that
/// counts, as the rounds before it leave at their equal share, at least one each.
inline GivenOptions iterative(const MethodScale& scale, double density, const std::string& rewind) {
  const int before = rounds(density);
  const int round = std::max(1, scale.epochs / (before + 1));
  GivenOptions options{{"method", "imp"},
                       {"target-density", text(density)},
                       {"rewind", rewind},
                       {"round-epochs", text(round)},
                       {"epochs", text(scale.epochs - before * round)}};
  if (rewind == "weights") {
    options["rewind-share"] = "0.1";
  }
  return options;
}

inline std::vector<Row> method_rows(const MethodScale& scale, double d) {
  const std::string density = text(d);
  const GivenOptions moves{{"seed-density", density}, {"disconnected", "warn"}};
  const GivenOptions target{{"target-density", density}, {"update-interval", scale.interval}};
  GivenOptions hybrid = with(target, {{"method", "grow_reallocate"}});
  if (scale.growth_stages < 4) {
    hybrid["growth-stages"] = text(scale.growth_stages);
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

/// One cell: a method at a density of the table.
inline std::string cell(const std::string& method, double density) {
  return fmt::format("{}: density {:.2f}", method, density);
}

inline GivenOptions common_options(const MethodScale& scale) {
  return with({{"epochs", text(scale.epochs)}}, scale.common);
}

inline Row dense_row() { return {"dense", {{"method", "dense"}}}; }

/// All cells of the table, dense training first.
inline std::vector<Row> table_rows(const MethodScale& scale) {
  std::vector<Row> rows{dense_row()};
  for (const double density : scale.densities) {
    for (const Row& row : method_rows(scale, density)) {
      rows.push_back({cell(row.curve, density), row.options});
    }
  }
  return rows;
}

}  // namespace gcg::table
