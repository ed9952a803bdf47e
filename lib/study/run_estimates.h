#pragma once

#include <string>
#include <vector>

#include "study/estimate.h"
#include "study/gpus.h"
#include "study/planned_run.h"

namespace gcg {

/// Estimated seconds of runs that are not finished.
struct RunEstimates {
  std::vector<double> seconds;     ///< by run, without its finished part; NaN: unknown; finished: 0
  std::vector<std::string> notes;  ///< what the numbers are based on, for people
};

/// Estimates the selected runs. A run whose options, but for the seed, are those of finished runs
/// takes what they took on average. For the others gcg_run --estimate times one run of every
/// distinct kind (network, width, execution, threads, batch size, data), `jobs` kinds at a time, a
/// few seconds each, and the seconds follow from the method's planned course; where finished runs
/// of the kind are there, they are multiplied by the root of the median ratio of what those took to
/// what the same sum gives for them. Today's timing and theirs then count the same: other work may
/// have slowed either. On a GPU of `gpus` one kind is timed at a time.
RunEstimates estimate_runs(const std::vector<PlannedRun>& planned, std::int64_t jobs,
                           GpuShare gpus);

}  // namespace gcg
