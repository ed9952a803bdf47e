#include <algorithm>

#include "method_rows.h"

namespace {

using namespace gcg;

/// Densities of the table and those it does not reach.
std::vector<double> densities(const std::string& scale) {
  if (scale == "smoke") {
    return {0.2, 0.05};
  }
  return {0.2, 0.1, 0.05, 0.02};
}

bool is_baseline(const std::string& method) {
  constexpr const char* kNames[] = {"random, ERK",
                                    "SynFlow",
                                    "RigL",
                                    "GraNet",
                                    "gradual pruning",
                                    "AC/DC",
                                    "IMP, rate rewound",
                                    "growth, path",
                                    "grow, then reallocate"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](const char* name) { return method == name; });
}

/// The hybrid against growth alone and the best baselines, equal epochs; what its parts do, at the
/// two lowest densities.
std::vector<ExperimentRun> grow_reallocate(const ExperimentRequest& request) {
  const table::MethodScale scale = table::method_scale(request);
  std::vector<Row> rows{table::dense_row()};
  for (const double density : densities(request.scale)) {
    for (const Row& row : table::method_rows(scale, density)) {
      // Pruning in rounds needs an epoch for each.
      const bool too_short = row.curve.starts_with("IMP") && rounds(density) >= scale.epochs;
      if (!is_baseline(row.curve) || too_short) {
        continue;
      }
      rows.push_back({table::cell(row.curve, density), row.options});
      if (row.curve == "grow, then reallocate" && density <= 0.05) {
        // Never denser than the target: growth to it, then moves only.
        rows.push_back({table::cell("hybrid at constant density", density),
                        with({{"peak", "1"}}, row.options)});
        rows.push_back({table::cell("hybrid, regrown by gradient", density),
                        with({{"regrow", "gradient"}}, row.options)});
      }
    }
  }
  return repeat(rows, table::common_options(scale), request, scale.seeds);
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::experiment_main(argc, argv,
                              {"grow_reallocate",
                               "growth followed by reallocation against growth alone and the best "
                               "baselines, down to 98 % sparsity",
                               grow_reallocate});
}
