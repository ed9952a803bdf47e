#include <utility>

#include "method_rows.h"

namespace {

using namespace gcg;
using namespace gcg::table;

/// Accuracy of every method at every density, equal epochs.
std::vector<ExperimentRun> methods_table(const ExperimentRequest& request) {
  const MethodScale scale = method_scale(request);
  return repeat(table_rows(scale), common_options(scale), request, scale.seeds);
}

/// Every method ends at its density exactly and in equal epochs; at full scale there are published
/// accuracies of the network.
std::vector<gcg::Expected> expected(const ExperimentRequest& request) {
  const MethodScale scale = method_scale(request);
  std::vector<gcg::Expected> table{
      {"dense", "density", 1, 0, "dense"},
      {"dense", "epochs", static_cast<double>(scale.epochs), 0, "equal epochs for every method"}};
  for (const double density : scale.densities) {
    for (const Row& row : method_rows(scale, density)) {
      const std::string curve = cell(row.curve, density);
      const std::string& method = row.options.at("method");
      if (method != "small_dense") {
        // Half a connection of the smallest network is more than the rounding of the count.
        table.push_back({curve, "density", density, 2e-4, "the target, rounded to a count"});
      }
      if (method == "fixed_mask" || method == "small_dense") {
        table.push_back({curve, "FLOPs of a pass", 1, 1e-9, "a mask that never changes"});
      }
      // A training that was rewound begins late in its first epoch or after it.
      if (method != "imp") {
        table.push_back({curve, "epochs", static_cast<double>(scale.epochs), 0,
                         "equal epochs for every method"});
      }
    }
  }
  const auto published = [&](const std::string& curve, double accuracy, double tolerance,
                             const std::string& source) {
    table.push_back(
        {curve, "test accuracy", accuracy, tolerance, source, "full", "cifar10", 50000});
  };
  // Published on all 50,000 training images; here a tenth of them is kept for validation.
  published("dense", 0.921, 0.012, "published ResNet-20: 91.7 to 92.5 %");
  for (const auto& [density, accuracy] :
       {std::pair{0.2, 0.883}, std::pair{0.1, 0.863}, std::pair{0.05, 0.836}}) {
    published(cell("random, uniform", density), accuracy, 0.02,
              "published ResNet-20, random pruning");
  }
  return table;
}

}  // namespace

int main(int argc, char** argv) {
  gcg::Experiment experiment{"methods_table",
                             "accuracy of every method at fixed densities, equal epochs, with "
                             "cost relative to dense",
                             methods_table};
  experiment.any_data = true;
  experiment.expected = expected;
  return gcg::experiment_main(argc, argv, experiment);
}
