#include <fmt/format.h>

#include "study/experiment.h"

namespace {

using gcg::ExperimentRequest;
using gcg::ExperimentRun;
using gcg::GivenOptions;

/// Sizes of one scale: those of growth_rules, whose curve "path, sampled" and dense run these are.
struct Scale {
  std::string network, width;
  int stages;
  int stage_epochs;
  double growth_ratio;
  std::string epsilon;
  std::int64_t seeds;
};

Scale scale_of(const std::string& name) {
  if (name == "smoke") {
    return {"resnet8", "4", 6, 1, 0.6, "0.02", 1};
  }
  if (name == "small") {
    return {"resnet8", "8", 9, 3, 0.4, "0.02", 3};
  }
  return {"resnet20", "16", 14, 16, 0.25, "0.005", 5};
}

/// Growth, and control (b): the mask of every stage on fresh weights, by the recipe with as many
/// epochs as the whole growth path, as the dense run has. d* is right if the mask at d* is within
/// epsilon of dense and that of the stage before is not.
std::vector<ExperimentRun> extrapolation(const ExperimentRequest& request) {
  const Scale scale = scale_of(request.scale);
  const std::string trunk = "path, sampled";
  const std::string epochs = fmt::format("{}", scale.stages * scale.stage_epochs);
  std::vector<ExperimentRun> runs;
  const auto add = [&](const std::string& curve, GivenOptions options, std::int64_t seed,
                       const std::string& from = {}) {
    options.insert({{"network", scale.network}, {"width", scale.width}});
    runs.push_back({curve, std::move(options), static_cast<std::uint64_t>(seed), from});
  };
  const std::int64_t seeds = request.seeds > 0 ? request.seeds : scale.seeds;
  // Seeds outermost: an interrupted study has whole replicates.
  for (std::int64_t seed = 1; seed <= seeds; ++seed) {
    add(trunk,
        {{"method", "gcg"},
         {"growth-rule", "path"},
         {"disconnected", "repair"},
         {"stage-epochs", fmt::format("{}", scale.stage_epochs)},
         {"growth-ratio", fmt::format("{}", scale.growth_ratio)},
         {"max-stages", fmt::format("{}", scale.stages)},
         {"epsilon", scale.epsilon},
         {"stop", "never"},
         {"final", "none"}},
        seed);
    add("dense", {{"method", "dense"}, {"epochs", epochs}}, seed);
    for (int stage = 0; stage < scale.stages; ++stage) {
      add(fmt::format("mask of stage {}", stage),
          {{"method", "fixed_mask"}, {"trunk-stage", fmt::format("{}", stage)}, {"epochs", epochs}},
          seed, trunk);
    }
  }
  return runs;
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::experiment_main(argc, argv,
                              {"extrapolation",
                               "the fit after every stage, d* and its interval against the masks "
                               "of the stages trained by the recipe; stopping rules replayed",
                               extrapolation});
}
