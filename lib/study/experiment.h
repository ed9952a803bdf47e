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
  /// Without data-dir, out, seed and trunk; with data only where the run needs other images than
  /// the study's, which then are made or in the folder that the environment names.
  GivenOptions options;
  std::uint64_t seed = 1;
  /// Curve of this experiment whose run of the same seed this run starts from (option --trunk, set
  /// to that run's name; the stage is option --trunk-stage); empty: none. That run is finished
  /// first.
  std::string trunk = {};
};

/// What is asked of an experiment.
struct ExperimentRequest {
  std::string scale;             ///< smoke, small or full
  std::int64_t seeds = 0;        ///< 0: the scale's own number
  std::string data = "cifar10";  ///< name of the data set
};

/// What a curve's runs should come to, for --verify: a published number, or what follows from the
/// method in closed form. Compared with the mean over the finished runs.
struct Expected {
  std::string curve;
  std::string quantity;  ///< a row of quantity_table() (study/verify.h)
  double value = 0;
  double tolerance = 0;  ///< largest difference that passes
  std::string source;    ///< where the value comes from
  /// Comparable at this scale only; empty: at the scale asked for.
  std::string scale = {};
  /// Comparable on this data set only, and only with that many training images (validation images
  /// included); empty and 0: any.
  std::string data = {};
  std::int64_t images = 0;
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
  /// Its sizes follow study_network(): knows TinyImageNet and ImageNet, which others refuse.
  bool any_data = false;
  std::vector<Expected> (*expected)(const ExperimentRequest&) = nullptr;
};

/// The network of a scale on a data set, for experiments that run on several.
struct StudyNetwork {
  std::string network, width;
  /// Options of the recipe that differ from the defaults. Runs without a training by the recipe
  /// (stages or cycles alone) have to leave out its "warmup".
  GivenOptions recipe;
  std::int64_t epochs = 160;  ///< of the recipe at full scale

  /// Network, width and recipe as options.
  [[nodiscard]] GivenOptions options() const;
};

/// CIFAR and the like: resnet8 of width 4 (smoke) and 8 (small), resnet20 (full). TinyImageNet:
/// resnet18_small of width 4, 16 and 64. ImageNet: resnet50 of width 8 and 16 on images of 64
/// pixels, and of width 64 on 224, 100 epochs. Its recipe is the published one for batches of 4096
/// images, rate 1.6, scaled linearly to batches of 256 and rate 0.1, with 5 % warm-up; the drops of
/// the rate are the project's (1/2 and 3/4), and labels are not smoothed: no number of it may be
/// compared with published ones without saying so.
StudyNetwork study_network(const ExperimentRequest& request);

/// The main function of every experiment; --help says what it can do. Without a question it runs
/// what is not finished yet, side by side, and writes OUT/NAME-SCALE.json, which names every run
/// with its curve and seed, for the analysis. Exit status 0: all finished (--verify: nothing
/// failed); 1: some failed; 2: usage; 128 + signal: stopped by SIGINT, SIGTERM or SIGHUP, to be
/// continued by the same command.
int experiment_main(int argc, const char* const* argv, const Experiment& experiment);

}  // namespace gcg
