#pragma once

#include <string>
#include <vector>

#include "study/estimate.h"
#include "study/planned_run.h"

namespace gcg {

/// Estimated seconds of runs that are not finished.
struct RunEstimates {
  std::vector<double> seconds;     ///< by run, without its finished part; NaN: unknown; finished: 0
  std::vector<std::string> notes;  ///< what the numbers are based on, for people
};

/// Estimates the selected runs. If finished runs have the same options except for
/// the seed, a run takes their mean time. For the others, gcg_run --estimate times
/// one run of every kind (network, width, execution, threads, batch size, data),
/// `jobs` kinds at a time, a few seconds each, and the method's planned course gives
/// the seconds. If there are finished runs of the kind, the estimate is multiplied
/// by the square root of the median ratio of their real to their estimated seconds.
/// So today's timing and theirs count equally: other work may have slowed either.
RunEstimates estimate_runs(const std::vector<PlannedRun>& planned, std::int64_t jobs);

}  // namespace gcg
