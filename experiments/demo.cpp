#include "run_rows.h"

namespace gcg::experiments {

namespace {

/// Gradual Capacity Growth and the dense training it is measured by, on the embedded images.
std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  const Scale& scale = request.scale;
  const std::int64_t epochs = epochs_of(scale);
  const Row growth{"gcg",
                   {{"method", "gcg"},
                    {"epochs", text(epochs)},
                    {"growth-ratio", text(growth_ratio_of(scale))},
                    {"stage-epochs", text(epochs_of(scale, "stage-epochs"))},
                    {"disconnected", "repair"},
                    {"epsilon", number_text(epsilon_of(scale))}},
                   {"growth", "gcg"}};
  return repeat({growth, dense_row(epochs)}, scale.options(), request);
}

}  // namespace

ExperimentRuns demo() { return {runs}; }

}  // namespace gcg::experiments
