#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "study/run_plan.h"
#include "study/scale.h"

namespace gcg {

/// What a curve is to the analysis, which reads it from the study file.
struct Part {
  std::string role;    ///< growth, method, control, dense, mask, ...: the analysis knows its own
  std::string family;  ///< method, rule or task: curves of a family differ in their values alone
  std::map<std::string, double> values = {};  ///< by name; "density" is the density asked for
  std::string of = {};  ///< what it belongs to: the curve whose start or control it is; a task
};

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
  Part part = {};
};

/// What is asked of an experiment.
struct ExperimentRequest {
  Scale scale;
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

/// What sets an experiment apart; its word in the table of experiments.
enum class ExperimentKind {
  plain,
  any_data,  ///< has sizes for TinyImageNet and ImageNet, which others refuse
  alone,     ///< measures seconds: runs never stand side by side
  demo,      ///< no part of the study; on the embedded images, with a line per stage
};

/// The runs of an experiment, and what they should come to.
struct ExperimentRuns {
  std::vector<ExperimentRun> (*runs)(const ExperimentRequest&);
  std::vector<Expected> (*expected)(const ExperimentRequest&) = nullptr;
};

/// One figure or table: names its runs and nothing else.
struct Experiment {
  std::string_view name;
  std::string_view about;
  ExperimentRuns of;
  SettingsFile settings;
  ExperimentKind kind = ExperimentKind::plain;
};

/// The data set that --data means where it is not given.
std::string_view default_data(const Experiment& experiment);

/// The main function of every experiment; --help says what it can do. Without a question it runs
/// what is not finished yet, side by side, and writes OUT/NAME-SCALE.json, which names every run
/// with its curve and seed, for the analysis. Exit status 0: all finished (--verify: nothing
/// failed); 1: some failed; 2: usage; 128 + signal: stopped by SIGINT, SIGTERM, SIGHUP or SIGUSR1,
/// to be continued by the same command; a worker (--work) ends so with kContinueStatus.
int experiment_main(int argc, const char* const* argv, const Experiment& experiment);

}  // namespace gcg
