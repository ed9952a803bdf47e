#include <fmt/format.h>

#include "study/experiment.h"

namespace {

using gcg::ExperimentRequest;
using gcg::ExperimentRun;
using gcg::GivenOptions;

/// Sizes of one scale. Small is the setting in which Gradual Capacity Growth has to pay: about
/// 10,000 images, a recipe of 20 epochs.
struct Scale {
  GivenOptions common;
  GivenOptions growth;
  std::vector<double> densities;
  std::int64_t seeds;
};

Scale scale_of(const std::string& name) {
  if (name == "smoke") {
    return {{{"network", "resnet8"}, {"width", "4"}, {"epochs", "2"}, {"threads", "1"}},
            {{"stage-epochs", "1"}, {"growth-ratio", "1"}, {"epsilon", "0.02"}},
            {0.1},
            1};
  }
  const std::vector<double> densities{0.02, 0.05, 0.1, 0.2, 0.5};
  if (name == "small") {
    return {{{"network", "resnet20"}, {"epochs", "20"}, {"threads", "2"}},
            {{"stage-epochs", "2"}, {"growth-ratio", "0.4"}, {"epsilon", "0.02"}},
            densities,
            2};  // near half an hour each: a run has the machine to itself
  }
  return {{{"network", "resnet20"}, {"epochs", "160"}, {"threads", "2"}},
          {{"stage-epochs", "16"}, {"growth-ratio", "0.25"}, {"epsilon", "0.005"}},
          densities,
          3};
}

struct Curve {
  std::string name;
  GivenOptions options;
};

GivenOptions masked(double density, const std::string& execution) {
  return {{"method", "fixed_mask"},
          {"seed-rule", "erk"},
          {"seed-density", fmt::format("{}", density)},
          {"disconnected", "repair"},
          {"execution", execution}};
}

/// Whole trainings by the recipe: sparse over density, LibTorch dense and with one mask (which
/// saves it nothing), and Gradual Capacity Growth from its seed to the end of its final training.
std::vector<ExperimentRun> wall_clock(const ExperimentRequest& request) {
  const Scale scale = scale_of(request.scale);
  std::vector<Curve> curves{
      {"LibTorch, dense", {{"method", "dense"}, {"execution", "dense"}}},
      {"LibTorch, mask of 0.1", masked(0.1, "dense")},
  };
  for (const double density : scale.densities) {
    curves.push_back({fmt::format("sparse {}", density), masked(density, "sparse")});
  }
  curves.push_back({"sparse 1", {{"method", "dense"}, {"execution", "sparse"}}});
  Curve growth{"gcg", scale.growth};
  growth.options.insert({{"method", "gcg"}, {"disconnected", "repair"}, {"execution", "sparse"}});
  curves.push_back(std::move(growth));

  std::vector<ExperimentRun> runs;
  const std::int64_t seeds = request.seeds > 0 ? request.seeds : scale.seeds;
  // Seeds outermost: what is compared is measured close together.
  for (std::int64_t seed = 1; seed <= seeds; ++seed) {
    for (const Curve& curve : curves) {
      ExperimentRun run{curve.name, curve.options, static_cast<std::uint64_t>(seed)};
      run.options.insert(scale.common.begin(), scale.common.end());
      runs.push_back(std::move(run));
    }
  }
  return runs;
}

/// Masks have the density asked for, and their FLOPs follow from it; seconds are measured, not
/// expected.
std::vector<gcg::Expected> expected(const ExperimentRequest& request) {
  const Scale scale = scale_of(request.scale);
  std::vector<gcg::Expected> table;
  const auto add = [&](const std::string& curve, double density) {
    // Half a connection of the smallest network is more than the rounding of the count.
    table.push_back({curve, "density", density, 2e-4, "the mask's density, rounded to a count"});
    table.push_back({curve, "FLOPs of a pass", 1, 1e-9, "a mask that never changes"});
  };
  add("LibTorch, dense", 1);
  add("LibTorch, mask of 0.1", 0.1);
  for (const double density : scale.densities) {
    add(fmt::format("sparse {}", density), density);
  }
  add("sparse 1", 1);
  return table;
}

}  // namespace

int main(int argc, char** argv) {
  gcg::Experiment experiment{"wall_clock",
                             "measured seconds and memory of whole trainings over density, sparse "
                             "against LibTorch, and of a whole growth run",
                             wall_clock};
  experiment.alone = true;
  experiment.expected = expected;
  return gcg::experiment_main(argc, argv, experiment);
}
