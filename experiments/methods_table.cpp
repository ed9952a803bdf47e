#include <utility>

#include "method_rows.h"

namespace gcg::experiments {

namespace {

using namespace table;

/// Accuracy of every method at every density, equal epochs.
std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  const MethodScale scale = method_scale(request.scale);
  return repeat(table_rows(scale), common_options(scale), request);
}

/// Every method ends at its density exactly and in equal epochs; at full scale there are published
/// accuracies of the network.
std::vector<Expected> expected(const ExperimentRequest& request) {
  const MethodScale scale = method_scale(request.scale);
  std::vector<Expected> values{
      {"dense", "density", 1, 0, "dense"},
      {"dense", "epochs", static_cast<double>(scale.epochs), 0, "equal epochs for every method"}};
  for (const double density : scale.densities) {
    for (const Row& row : method_rows(scale, density)) {
      const std::string& curve = row.curve;
      const std::string& method = row.options.at("method");
      if (method != "small_dense") {
        // Half a connection of the smallest network is more than the rounding of the count.
        values.push_back({curve, "density", density, 2e-4, "the target, rounded to a count"});
      }
      if (method == "fixed_mask" || method == "small_dense") {
        values.push_back({curve, "FLOPs of a pass", 1, 1e-9, "a mask that never changes"});
      }
      // A training that was rewound begins late in its first epoch or after it.
      if (method != "imp") {
        values.push_back({curve, "epochs", static_cast<double>(scale.epochs), 0,
                          "equal epochs for every method"});
      }
    }
  }
  const auto published = [&](const std::string& curve, double accuracy, double tolerance,
                             const std::string& source) {
    values.push_back(
        {curve, "test accuracy", accuracy, tolerance, source, "full", "cifar10", 50000});
  };
  // Published on all 50,000 training images; here a tenth of them is kept for validation.
  published("dense", 0.921, 0.012, "published ResNet-20: 91.7 to 92.5 %");
  for (const auto& [density, accuracy] :
       {std::pair{0.2, 0.883}, std::pair{0.1, 0.863}, std::pair{0.05, 0.836}}) {
    published(cell("random, uniform", density), accuracy, 0.02,
              "published ResNet-20, random pruning");
  }
  return values;
}

}  // namespace

ExperimentRuns methods_table() { return {runs, expected}; }

}  // namespace gcg::experiments
