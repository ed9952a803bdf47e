#pragma once

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "run_rows.h"

/// The methods of the table of methods at one density, in equal epochs: experiments that compare
/// some of them share their runs.
namespace gcg::table {

/// Sizes of one scale. Every method has the same epochs in all.
struct MethodScale {
  GivenOptions common;  ///< network, width and recipe
  std::int64_t epochs;
  std::int64_t growth_stages;  ///< of `stage_epochs` each, from a fifth of the target to the target
  std::int64_t stage_epochs;
  std::int64_t interval, long_interval;  ///< between mask updates, in updates of the weights
  double turn;                           ///< of AC/DC
  std::vector<double> densities;
};

inline MethodScale method_scale(const Scale& scale) {
  MethodScale sizes{scale.options(),
                    epochs_of(scale),
                    scale.whole("growth-stages", 2, 1000),
                    epochs_of(scale, "stage-epochs"),
                    update_interval_of(scale),
                    scale.whole("long-update-interval", 1, 1'000'000'000),
                    scale.number("turn", kFraction),
                    scale.numbers("densities", kFraction)};
  if (sizes.growth_stages * sizes.stage_epochs >= sizes.epochs) {
    throw UsageError(scale.where,
                     fmt::format("{} growth stages of {} epochs leave none of {} for the recipe",
                                 sizes.growth_stages, sizes.stage_epochs, sizes.epochs),
                     "set more epochs, or fewer growth-stages or stage-epochs");
  }
  return sizes;
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
  const double ratio = std::pow(5.0, 1.0 / static_cast<double>(scale.growth_stages - 1)) - 1;
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
  const std::int64_t before = rounds(density);
  const std::int64_t round = std::max<std::int64_t>(1, scale.epochs / (before + 1));
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

/// One cell: a method at a density of the table.
inline std::string cell(const std::string& method, double density) {
  return fmt::format("{}: density {:.2f}", method, density);
}

/// A method at a density, its curve named after both.
inline Row method_row(const std::string& method, double density, GivenOptions options,
                      const std::string& role = "method", const std::string& of = {}) {
  return {cell(method, density), std::move(options), {role, method, {{"density", density}}, of}};
}

/// Every method at a density.
inline std::vector<Row> method_rows(const MethodScale& scale, double d) {
  const std::string density = text(d);
  const GivenOptions moves{{"seed-density", density}, {"disconnected", "warn"}};
  const GivenOptions target{{"target-density", density}, {"update-interval", text(scale.interval)}};
  GivenOptions hybrid = with(target, {{"method", "grow_reallocate"}});
  if (scale.growth_stages < 4) {
    hybrid["growth-stages"] = text(scale.growth_stages);
  }
  std::vector<Row> rows;
  const auto add = [&](const std::string& method, GivenOptions options) {
    rows.push_back(method_row(method, d, std::move(options)));
  };
  add("small dense", {{"method", "small_dense"}, {"target-density", density}});
  add("random, uniform", fixed("uniform", density));
  add("random, ERK", fixed("erk", density));
  add("PHEW", fixed("phew", density));
  add("magnitude at start", fixed("magnitude", density));
  add("SNIP", fixed("snip", density));
  add("GraSP", fixed("grasp", density));
  add("SynFlow", fixed("synflow", density));
  rows.push_back(method_row("control: SynFlow shuffled", d,
                            fixed("synflow", density, {{"shuffle", "on"}}), "control", "SynFlow"));
  add("SET", with(moves, {{"method", "set"}, {"update-interval", text(scale.interval)}}));
  add("RigL", with(moves, {{"method", "rigl"}, {"update-interval", text(scale.interval)}}));
  add("RigL, long intervals",
      with(moves, {{"method", "rigl"}, {"update-interval", text(scale.long_interval)}}));
  add("GraNet", with(target, {{"method", "granet"}, {"disconnected", "warn"}}));
  add("gradual pruning", with(target, {{"method", "gmp"}}));
  add("AC/DC", {{"method", "acdc"}, {"target-density", density}, {"turn", text(scale.turn)}});
  add("IMP, weights rewound", iterative(scale, d, "weights"));
  add("IMP, rate rewound", iterative(scale, d, "rate"));
  const auto grow = [&](const std::string& method, GivenOptions options) {
    rows.push_back(method_row(method, d, growth(scale, d, std::move(options)), "growth"));
  };
  grow("growth, path", {});
  grow("growth, gradient", {{"growth-rule", "gradient"}, {"selection", "greedy"}});
  grow("growth, random", {{"growth-rule", "random"}});
  add("grow, then reallocate", hybrid);
  return rows;
}

inline GivenOptions common_options(const MethodScale& scale) {
  return with({{"epochs", text(scale.epochs)}}, scale.common);
}

/// All cells of the table, dense training first.
inline std::vector<Row> table_rows(const MethodScale& scale) {
  std::vector<Row> rows{dense_row(scale.epochs)};
  for (const double density : scale.densities) {
    for (Row& row : method_rows(scale, density)) {
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace gcg::table
