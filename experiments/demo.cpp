#include "study/experiment.h"

namespace {

using gcg::ExperimentRequest;
using gcg::ExperimentRun;

/// Gradual Capacity Growth and the dense training it is measured by, on the embedded images. There
/// is one scale, made to end within three minutes on two cores; its validation split is large
/// enough to resolve the epsilon it asks for.
std::vector<ExperimentRun> demo(const ExperimentRequest& request) {
  const std::int64_t seeds = request.seeds > 0 ? request.seeds : 1;
  std::vector<ExperimentRun> runs;
  for (std::int64_t seed = 1; seed <= seeds; ++seed) {
    const gcg::GivenOptions common{{"network", "resnet8"},  {"width", "8"},
                                   {"epochs", "16"},        {"schedule", "cosine"},
                                   {"data-images", "6000"}, {"validation-fraction", "0.35"}};
    const auto number = static_cast<std::uint64_t>(seed);
    ExperimentRun grow{"gcg", common, number};
    grow.options.insert({{"method", "gcg"},
                         {"growth-ratio", "0.3"},
                         {"stage-epochs", "4"},
                         {"disconnected", "repair"},
                         {"epsilon", "0.02"}});
    ExperimentRun dense{"dense", common, number};
    dense.options.insert({{"method", "dense"}});
    runs.push_back(std::move(grow));
    runs.push_back(std::move(dense));
  }
  return runs;
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::experiment_main(
      argc, argv,
      {"demo", "Gradual Capacity Growth beside dense training on the embedded images", demo,
       "procedural", true, true});
}
