#include <algorithm>
#include <array>

#include "method_rows.h"

namespace gcg::experiments {

namespace {

bool is_baseline(const std::string& method) {
  constexpr std::array<std::string_view, 9> kNames{"random, ERK",
                                                   "SynFlow",
                                                   "RigL",
                                                   "GraNet",
                                                   "gradual pruning",
                                                   "AC/DC",
                                                   "IMP, rate rewound",
                                                   "growth, path",
                                                   "grow, then reallocate"};
  return std::ranges::find(kNames, method) != kNames.end();
}

/// The hybrid against growth alone and the best baselines, equal epochs; what its parts do, at the
/// two lowest densities.
std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  const table::MethodScale scale = table::method_scale(request.scale);
  std::vector<Row> rows{dense_row(scale.epochs)};
  for (const double density : scale.densities) {
    for (const Row& row : table::method_rows(scale, density)) {
      const std::string& method = row.part.family;
      // Pruning in rounds needs an epoch for each.
      const bool too_short = method.starts_with("IMP") && rounds(density) >= scale.epochs;
      if (!is_baseline(method) || too_short) {
        continue;
      }
      rows.push_back(row);
      if (method == "grow, then reallocate" && density <= 0.05) {
        // Never denser than the target: growth to it, then moves only.
        rows.push_back(table::method_row("hybrid at constant density", density,
                                         with({{"peak", "1"}}, row.options)));
        rows.push_back(table::method_row("hybrid, regrown by gradient", density,
                                         with({{"regrow", "gradient"}}, row.options)));
      }
    }
  }
  return repeat(rows, table::common_options(scale), request);
}

}  // namespace

ExperimentRuns grow_reallocate() { return {runs}; }

}  // namespace gcg::experiments
