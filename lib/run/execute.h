#pragma once

#include <memory>

#include "backend/executor.h"
#include "data/dataset.h"
#include "record/run_record.h"
#include "study/run_plan.h"

namespace gcg {

/// What runs the network as the plan asks.
std::unique_ptr<Executor> run_executor(const RunPlan& plan, const Network& network);

/// Runs a plan to its end in plan.folder(), from the last checkpoint if there is one; progress goes
/// to standard error. One process at a time works in a run's folder: a second one is an Error.
RunRecord execute(RunPlan& plan);

}  // namespace gcg
