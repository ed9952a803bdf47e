// The program of every experiment: CMake compiles it once for each row of table.def.
#include "base/lookup.h"
#include "table.h"

int main(int argc, char** argv) {
  const gcg::Experiment& experiment =
      gcg::find_row(gcg::experiments::experiment_table(), GCG_EXPERIMENT, "experiment");
  return gcg::experiment_main(argc, argv, experiment);
}
