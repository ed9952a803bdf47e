#include "run_rows.h"

namespace gcg::experiments {

namespace {

/// Growing and returning on the embedded images, and the dense training it is measured by: by the
/// recipe, and as long as the search takes in all.
std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  const Scale& scale = request.scale;
  const std::int64_t epochs = epochs_of(scale);
  const Row search{"grow, then return",
                   {{"method", "grow_return"},
                    {"epochs", text(epochs)},
                    {"growth-ratio", text(growth_ratio_of(scale))},
                    {"stage-epochs", text(epochs_of(scale, "stage-epochs"))},
                    {"disconnected", "repair"}},
                   {"search", "grow, then return"}};
  Row longer = dense_row(epochs_of(scale, "longer-epochs"));
  longer.curve = "dense, equally long";
  longer.part.role = "longer";
  // The longest first: two of them stand side by side.
  return repeat({longer, search, dense_row(epochs)}, scale.options(), request);
}

}  // namespace

ExperimentRuns demo() { return {runs}; }

}  // namespace gcg::experiments
