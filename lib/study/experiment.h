#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "study/run_plan.h"
#include "study/scale.h"

namespace gcg {

/// What a curve means to the analysis, which reads it from the study file.
struct Part {
  std::string role;    ///< growth, method, control, dense, mask, ...; each analysis has its own
  std::string family;  ///< method, rule or task: curves of a family differ only in their values
  std::map<std::string, double> values = {};  ///< by name; "density" is the requested density
  std::string of = {};  ///< the curve that it is a start or control of; a task
};

/// One run of an experiment, and the curve or cell it belongs to.
struct ExperimentRun {
  std::string curve;  ///< "path, sampled", "control: density 0.19", ...
  /// Options other than data-dir, out, seed and trunk. `data` is set only if the run needs other
  /// images than the study's, which are then made or in the folder that the environment names.
  GivenOptions options;
  std::uint64_t seed = 1;
  /// The curve of this experiment from whose run of the same seed this run starts (option --trunk
  /// is set to that run's name; --trunk-stage gives the stage); empty: none. That run is finished
  /// first.
  std::string trunk = {};
  Part part = {};
};

/// What the user asks of an experiment.
struct ExperimentRequest {
  Scale scale;
  std::int64_t seeds = 0;        ///< 0: the scale's number
  std::string data = "cifar10";  ///< name of the data set
};

/// What a curve's runs should give, for --verify: a published number, or what follows from the
/// method in closed form. Compared with the mean over the finished runs.
struct Expected {
  std::string curve;
  std::string quantity;  ///< a row of quantity_table() (study/verify.h)
  double value = 0;
  double tolerance = 0;  ///< largest accepted difference
  std::string source;    ///< where the value comes from
  /// Comparable only at this scale; empty: at the requested one.
  std::string scale = {};
  /// Comparable only on this data set and with this number of training images (including validation
  /// images); empty and 0: any.
  std::string data = {};
  std::int64_t images = 0;
};

/// What distinguishes an experiment; its word in the table of experiments.
enum class ExperimentKind {
  plain,
  any_data,  ///< has sizes for TinyImageNet and ImageNet too
  alone,     ///< measures seconds: its runs never run side by side
  demo,      ///< not part of the study; uses the embedded images and prints a line per stage
};

/// The runs of an experiment, and what they should give.
struct ExperimentRuns {
  std::vector<ExperimentRun> (*runs)(const ExperimentRequest&);
  std::vector<Expected> (*expected)(const ExperimentRequest&) = nullptr;
};

/// One figure or table: says which runs it needs and nothing else.
struct Experiment {
  std::string_view name;
  std::string_view about;
  ExperimentRuns of;
  SettingsFile settings;
  ExperimentKind kind = ExperimentKind::plain;
};

/// The data set that is used if --data is not given.
std::string_view default_data(const Experiment& experiment);

/// The main function of every experiment; --help lists what it can do. Without a query it runs what
/// is not finished yet, side by side, and writes OUT/NAME-SCALE.json, which names every run with
/// its curve and seed, for the analysis. Exit status: 0: all finished (--verify: nothing failed);
/// 1: some failed; 2: usage; 128 + signal: stopped by SIGINT, SIGTERM, SIGHUP or SIGUSR1, to be
/// continued by the same command; a worker (--work) then ends with kContinueStatus.
int experiment_main(int argc, const char* const* argv, const Experiment& experiment);

}  // namespace gcg
