#include "method_rows.h"

namespace {

/// Accuracy of every method at every density, equal epochs.
std::vector<gcg::ExperimentRun> methods_table(const gcg::ExperimentRequest& request) {
  const gcg::table::MethodScale scale = gcg::table::method_scale(request.scale);
  return gcg::repeat(gcg::table::table_rows(scale), gcg::table::common_options(scale), request,
                     scale.seeds);
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::experiment_main(argc, argv,
                              {"methods_table",
                               "accuracy of every method at fixed densities, equal epochs, with "
                               "cost relative to dense",
                               methods_table});
}
