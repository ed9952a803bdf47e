#include "run_rows.h"

namespace gcg::experiments {

namespace {

constexpr Range kSparse{0, 1, true, true};  // the dense runs are there anyway

GivenOptions masked(double density, const std::string& execution) {
  return {{"method", "fixed_mask"},
          {"seed-rule", "erk"},
          {"seed-density", text(density)},
          {"disconnected", "repair"},
          {"execution", execution}};
}

/// Whole trainings by the recipe: sparse over density, LibTorch dense and with one mask (which
/// saves it nothing), and Gradual Capacity Growth from its seed to the end of its final training.
std::vector<Row> rows(const Scale& scale) {
  std::vector<Row> rows{
      {"LibTorch, dense",
       {{"method", "dense"}, {"execution", "dense"}},
       {"dense", "LibTorch", {{"density", 1}}}},
      {"LibTorch, mask of 0.1", masked(0.1, "dense"), {"mask", "LibTorch", {{"density", 0.1}}}},
  };
  for (const double density : scale.numbers("densities", kSparse)) {
    rows.push_back({fmt::format("sparse {}", density),
                    masked(density, "sparse"),
                    {"sparse", "sparse", {{"density", density}}}});
  }
  rows.push_back({"sparse 1",
                  {{"method", "dense"}, {"execution", "sparse"}},
                  {"sparse", "sparse", {{"density", 1}}}});
  rows.push_back({"gcg",
                  {{"method", "gcg"},
                   {"disconnected", "repair"},
                   {"execution", "sparse"},
                   {"growth-ratio", text(growth_ratio_of(scale))},
                   {"stage-epochs", text(epochs_of(scale, "stage-epochs"))},
                   {"epsilon", number_text(epsilon_of(scale))}},
                  {"growth", "gcg"}});
  return rows;
}

std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  const Scale& scale = request.scale;
  const GivenOptions own{{"epochs", text(epochs_of(scale))},
                         {"threads", text(scale.whole("threads", 1, 1024))}};
  return repeat(rows(scale), with(own, scale.options()), request);
}

/// Masks have the density asked for, and their FLOPs follow from it; seconds are measured, not
/// expected.
std::vector<Expected> expected(const ExperimentRequest& request) {
  std::vector<Expected> table;
  for (const Row& row : rows(request.scale)) {
    if (row.part.role != "growth") {
      // Half a connection of the smallest network is more than the rounding of the count.
      table.push_back({row.curve, "density", row.part.values.at("density"), 2e-4,
                       "the mask's density, rounded to a count"});
      table.push_back({row.curve, "FLOPs of a pass", 1, 1e-9, "a mask that never changes"});
    }
  }
  return table;
}

}  // namespace

ExperimentRuns wall_clock() { return {runs, expected}; }

}  // namespace gcg::experiments
