#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "study/gpus.h"
#include "study/planned_run.h"

namespace gcg {

/// How a process works on a study.
struct WorkSettings {
  std::int64_t side_by_side = 1;
  /// One of several workers: takes runs in its own order, and leaves when all that is left is in
  /// other processes' hands. Otherwise it stays until the last run is over.
  bool worker = false;
  GpuShare gpus{};                                           ///< for the runs that are on one
  double seconds = std::numeric_limits<double>::infinity();  ///< after which it ends
};

/// The GPUs that the settings let the runs have; none if no run that is selected is on one.
/// UsageError: as chosen_gpus.
GpuShare gpus_of(const StudySettings& settings, const std::vector<PlannedRun>& planned);

/// How many runs go side by side on this host by the settings, at least 1: as many as there are
/// places on the GPUs of `how`, without GPUs one per core, or one of a worker.
std::int64_t runs_side_by_side(const Experiment& experiment, const StudySettings& settings,
                               const std::vector<PlannedRun>& planned, const WorkSettings& how);

/// Runs what is not finished and nobody else is running, trunks before the runs that start from
/// them; writes the study file. Any number of processes, of one or several experiments, may work in
/// one folder of runs: a run that they share is computed once. A run that failed before this
/// process began is tried again; one that fails later is not. Exit status: 0: all is finished or in
/// other processes' hands; 1: some failed; kContinueStatus: a worker was ended by a signal or its
/// time limit; 128 + signal: another process was ended by a signal.
int work(const Experiment& experiment, const StudySettings& settings,
         const std::vector<PlannedRun>& planned, const WorkSettings& how);

}  // namespace gcg
