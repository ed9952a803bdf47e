#include <algorithm>

#include "method_rows.h"

namespace {

using namespace gcg;

bool is_static(const Row& row) {
  const auto method = row.options.find("method");
  return method != row.options.end() && method->second == "fixed_mask";
}

/// One epoch at a vanishing learning rate: the run file then has the measures of the mask on the
/// weights that the training of `row` starts from.
Row start_of(const Row& row) {
  return {"start, " + row.curve, with({{"epochs", "1"}, {"learning-rate", "1e-9"}}, row.options)};
}

/// The runs of the table of methods, whose losses are compared; masks shuffled within their layers
/// at one density, so that masks of equal allocation can be compared; and the start of every mask
/// that stays as it is.
std::vector<ExperimentRun> convergence(const ExperimentRequest& request) {
  const table::MethodScale scale = table::method_scale(request);
  std::vector<Row> rows = table::table_rows(scale);
  const double middle = scale.densities[scale.densities.size() / 2];
  for (const Row& row : table::method_rows(scale, middle)) {
    // Uniform and ERK masks are random within their layers already, and SynFlow's shuffled mask is
    // in the table.
    if (is_static(row) && !row.options.contains("shuffle") && !row.curve.starts_with("random") &&
        row.curve != "SynFlow") {
      rows.push_back({table::cell("control: " + row.curve + " shuffled", middle),
                      with({{"shuffle", "on"}}, row.options)});
    }
  }
  std::vector<Row> starts;
  for (const Row& row : rows) {
    if (is_static(row)) {
      starts.push_back(start_of(row));
    }
  }
  rows.insert(rows.end(), starts.begin(), starts.end());
  return repeat(rows, table::common_options(scale), request, scale.seeds);
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::experiment_main(argc, argv,
                              {"convergence",
                               "loss over epochs and FLOPs at equal density; does the trace of the "
                               "path kernel at the start predict the final loss",
                               convergence});
}
