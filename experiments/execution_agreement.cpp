#include <fmt/format.h>

#include "study/experiment.h"

namespace {

using gcg::ExperimentRequest;
using gcg::ExperimentRun;
using gcg::GivenOptions;

struct Scale {
  GivenOptions common;
  std::int64_t seeds;
};

Scale scale_of(const std::string& name) {
  if (name == "smoke") {
    return {{{"network", "resnet8"}, {"width", "4"}, {"epochs", "1"}}, 2};
  }
  if (name == "small") {
    return {{{"network", "resnet8"}, {"width", "8"}, {"epochs", "10"}}, 10};
  }
  return {{{"network", "resnet20"}, {"epochs", "160"}}, 5};
}

/// The same trainings, sparse and dense: same weights at the start, same masks, same order of the
/// same augmented images. They differ in rounding alone, which training amplifies as it does any
/// noise; their accuracies have to be the same on average.
std::vector<ExperimentRun> execution_agreement(const ExperimentRequest& request) {
  const Scale scale = scale_of(request.scale);
  std::vector<ExperimentRun> runs;
  const std::int64_t seeds = request.seeds > 0 ? request.seeds : scale.seeds;
  for (std::int64_t seed = 1; seed <= seeds; ++seed) {
    for (const double density : {0.1, 1.0}) {
      for (const char* execution : {"sparse", "dense"}) {
        ExperimentRun run{fmt::format("{:.2f} {}", density, execution), scale.common,
                          static_cast<std::uint64_t>(seed)};
        run.options["execution"] = execution;
        run.options["schedule"] = "cosine";
        if (density < 1) {
          run.options.insert({{"method", "fixed_mask"},
                              {"seed-rule", "erk"},
                              {"seed-density", fmt::format("{}", density)},
                              {"disconnected", "repair"}});
        } else {
          run.options["method"] = "dense";
        }
        runs.push_back(std::move(run));
      }
    }
  }
  return runs;
}

/// Both executions train the same masks at the same cost; their accuracies are compared by the
/// analysis, as pairs.
std::vector<gcg::Expected> expected(const ExperimentRequest& request) {
  const double epochs = std::stod(scale_of(request.scale).common.at("epochs"));
  std::vector<gcg::Expected> table;
  for (const double density : {0.1, 1.0}) {
    for (const char* execution : {"sparse", "dense"}) {
      const std::string curve = fmt::format("{:.2f} {}", density, execution);
      table.push_back({curve, "density", density, 2e-4, "the mask's density, rounded to a count"});
      table.push_back({curve, "epochs", epochs, 0, "the recipe's"});
      table.push_back({curve, "FLOPs of a pass", 1, 1e-9, "a mask that never changes"});
    }
  }
  return table;
}

}  // namespace

int main(int argc, char** argv) {
  gcg::Experiment experiment{"execution_agreement",
                             "the same trainings sparse and dense: equal accuracy within a margin",
                             execution_agreement};
  experiment.expected = expected;
  return gcg::experiment_main(argc, argv, experiment);
}
