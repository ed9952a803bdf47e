#pragma once

#include "record/run_record.h"
#include "study/run_plan.h"

namespace gcg {

/// Runs a plan to its end in plan.folder(), from the last checkpoint if there is one; progress goes
/// to standard error. One process at a time works in a run's folder: a second one is an Error.
RunRecord execute(RunPlan& plan);

}  // namespace gcg
