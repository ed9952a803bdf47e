#include "run_rows.h"

namespace gcg::experiments {

namespace {

/// The same trainings, sparse and dense: same weights at the start, same masks, same order of the
/// same augmented images. They differ in rounding alone, which training amplifies as it does any
/// noise; their accuracies have to be the same on average.
std::vector<Row> rows(const Scale& scale) {
  const std::int64_t epochs = epochs_of(scale);
  std::vector<Row> rows;
  for (const double density : scale.numbers("densities", kFraction)) {
    for (const char* execution : {"sparse", "dense"}) {
      Row row = dense_row(epochs);
      if (density < 1) {
        row.options.insert(
            {{"seed-rule", "erk"}, {"seed-density", text(density)}, {"disconnected", "repair"}});
        row.options["method"] = "fixed_mask";
      }
      row.curve = fmt::format("{:.2f} {}", density, execution);
      row.options["execution"] = execution;
      row.options["schedule"] = "cosine";
      row.part = {execution, execution, {{"density", density}}};
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  return repeat(rows(request.scale), request.scale.options(), request);
}

/// Both executions train the same masks at the same cost; their accuracies are compared by the
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
