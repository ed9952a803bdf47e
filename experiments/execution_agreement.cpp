#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <vector>

#include "base/host.h"
#include "run_rows.h"

namespace gcg::experiments {

namespace {

/// One way of training a mask that is compared with the others.
struct Way {
  const char* role;
  const char* execution;
  const char* precision;
  const char* kernels;  ///< in bf16
};

constexpr std::array kWays{Way{"sparse", "sparse", "fp32", ""}, Way{"dense", "dense", "fp32", ""},
                           Way{"bf16", "sparse", "bf16", "sparse"},
                           Way{"tiles", "sparse", "bf16", "tiles"}};

/// Without instructions for tiles they are slow: then only if the settings want them.
std::vector<Way> ways(const Scale& scale) {
  const bool dense = scale.word("dense", {"on", "off"}) == "on";
  const std::string asked = scale.word("tiles", {"auto", "on", "off"});
  const bool tiles = asked == "on" || (asked == "auto" && amx_facts().usable);
  std::vector<Way> ways;
  std::ranges::copy_if(kWays, std::back_inserter(ways), [&](const Way& way) {
    const std::string_view role = way.role;
    return (role != "dense" || dense) && (role != "tiles" || tiles);
  });
  return ways;
}

/// The same trainings, sparse, dense, and sparse with the tensors of a batch in bf16, by present
/// weights and by tiles: same weights at the start, same masks, same order of the same augmented
/// images. They differ in rounding alone, which training amplifies as it does any noise; their
/// accuracies have to be the same on average.
std::vector<Row> rows(const Scale& scale) {
  const std::int64_t epochs = epochs_of(scale);
  const std::vector<Way> compared = ways(scale);
  std::vector<Row> rows;
  for (const double density : scale.numbers("densities", kFraction)) {
    for (const Way& way : compared) {
      Row row = dense_row(epochs);
      if (density < 1) {
        row.options.insert(
            {{"seed-rule", "erk"}, {"seed-density", text(density)}, {"disconnected", "repair"}});
        row.options["method"] = "fixed_mask";
      }
      row.curve = fmt::format("{:.2f} {}", density, way.role);
      row.options["execution"] = way.execution;
      if (std::string_view(way.precision) != "fp32") {
        row.options["precision"] = way.precision;
        row.options["kernels"] = way.kernels;
      }
      row.options["schedule"] = "cosine";
      row.part = {way.role, way.role, {{"density", density}}};
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  return repeat(rows(request.scale), request.scale.options(), request);
}

/// All train the same masks at the same cost; their accuracies are compared by the
/// analysis, as pairs.
std::vector<Expected> expected(const ExperimentRequest& request) {
  const auto epochs = static_cast<double>(epochs_of(request.scale));
  std::vector<Expected> table;
  for (const Row& row : rows(request.scale)) {
    table.push_back({row.curve, "density", row.part.values.at("density"), 2e-4,
                     "the mask's density, rounded to a count"});
    table.push_back({row.curve, "epochs", epochs, 0, "the recipe's"});
    table.push_back({row.curve, "FLOPs of a pass", 1, 1e-9, "a mask that never changes"});
  }
  return table;
}

}  // namespace

ExperimentRuns execution_agreement() { return {runs, expected}; }

}  // namespace gcg::experiments
