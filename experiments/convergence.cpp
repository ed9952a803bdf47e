#include "method_rows.h"

namespace gcg::experiments {

namespace {

bool is_static(const Row& row) { return row.options.at("method") == "fixed_mask"; }

/// One epoch at a vanishing learning rate: the run file then has the measures of the mask on the
/// weights that the training of `row` starts from.
Row start_of(const Row& row) {
  return {"start, " + row.curve,
          with({{"epochs", "1"}, {"learning-rate", "1e-9"}}, row.options),
          {"start", row.part.family, row.part.values, row.curve}};
}

/// The runs of the table of methods, whose losses are compared; masks shuffled within their layers
/// at one density, so that masks of equal allocation can be compared; and the start of every mask
/// that stays as it is.
std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  const table::MethodScale scale = table::method_scale(request.scale);
  std::vector<Row> rows = table::table_rows(scale);
  const double middle = scale.densities[scale.densities.size() / 2];
  for (const Row& row : table::method_rows(scale, middle)) {
    // Uniform and ERK masks are random within their layers already, and SynFlow's shuffled mask is
    // in the table.
    const std::string& method = row.part.family;
    if (is_static(row) && row.part.role == "method" && !method.starts_with("random") &&
        method != "SynFlow") {
      rows.push_back(table::method_row("control: " + method + " shuffled", middle,
                                       with({{"shuffle", "on"}}, row.options), "control", method));
    }
  }
  std::vector<Row> starts;
  for (const Row& row : rows) {
    if (is_static(row)) {
      starts.push_back(start_of(row));
    }
  }
  rows.insert(rows.end(), starts.begin(), starts.end());
  return repeat(rows, table::common_options(scale), request);
}

}  // namespace

ExperimentRuns convergence() { return {runs}; }

}  // namespace gcg::experiments
