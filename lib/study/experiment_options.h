#pragma once

#include <boost/program_options.hpp>
#include <optional>
#include <string>
#include <vector>

#include "study/experiment.h"
#include "study/planned_run.h"
#include "study/slurm.h"

namespace gcg {

/// A command line of an experiment, parsed.
struct ExperimentCommand {
  StudySettings study;                 ///< its scale is not yet read
  std::string scale;                   ///< as given: a name or a file
  std::vector<std::string> changes;    ///< SETTING=VALUE
  std::optional<std::string> explain;  ///< the cell to explain; empty text: all
  std::string rate_file;               ///< with --dry-run; empty: none
  double minutes = 0;                  ///< with --work; 0: no limit
  SlurmRequest slurm;
  bool help = false, settings = false, study_file = false, list = false, runs = false,
       dry_run = false, status = false, watch = false, verify = false, work = false, submit = false,
       slurm_dry_run = false, wait = false, cancel = false;
};

/// The options of an experiment, bound to `command`; also used for --help.
boost::program_options::options_description experiment_options(const Experiment& experiment,
                                                               ExperimentCommand& command);

/// Parses the command line. UsageError: unknown, contradictory or unused options.
ExperimentCommand parse_experiment_command(int argc, const char* const* argv,
                                           const Experiment& experiment);

}  // namespace gcg
