#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "study/run_plan.h"

namespace gcg {

/// One run an experiment needs, and the curve or cell it belongs to.
struct ExperimentRun {
  std::string curve;  ///< "path, sampled", "control: density 0.19", ...
  /// Without data-dir, out and seed; with data only where the run needs other images than the
  /// study's, which then are made or in the folder that the environment names.
  GivenOptions options;
  std::uint64_t seed = 1;
  /// Curve of this experiment whose run of the same seed this run starts from (option --trunk; the
  /// stage is option --trunk-stage); empty: none. That run is finished first.
  std::string trunk = {};
};

/// What is asked of an experiment.
struct ExperimentRequest {
  std::string scale;       ///< smoke, small or full
  std::int64_t seeds = 0;  ///< 0: the scale's own number
};

/// One figure or table: names its runs and nothing else.
struct Experiment {
  std::string_view name;
  std::string_view about;
  std::vector<ExperimentRun> (*runs)(const ExperimentRequest&);
  std::string_view default_data = "cifar10";
  bool one_scale = false;    ///< only "smoke": other scales are usage errors
  bool alone = false;        ///< measures seconds: runs never stand side by side
  bool show_stages = false;  ///< repeat every run's line per stage: for experiments of few runs
};

/// The main function of every experiment: --help, --list, --dry-run, --status, --scale, --seeds,
/// --jobs,
/// --only, --data, --data-dir, --execution, --out. Runs what is not finished yet, side by side;
/// writes OUT/NAME-SCALE.json, which names every run with its curve and seed, for the analysis.
/// Exit status 0: all finished; 1: some failed; 2: usage.
int experiment_main(int argc, const char* const* argv, const Experiment& experiment);

}  // namespace gcg
