#pragma once

#include <memory>

#include "backend/executor.h"
#include "data/dataset.h"
#include "record/run_record.h"
#include "study/run_plan.h"
#include "train/stop.h"
#include "world/place.h"

namespace gcg {

/// What runs the network as the plan asks.
std::unique_ptr<Executor> run_executor(const RunPlan& plan, const Network& network);

/// Runs a plan to its end in plan.folder(), from the last checkpoint if there is one; progress goes
/// to standard error. One process at a time works in a run's folder: a second one is a BusyError.
/// Another thread may end it through `stop`, also by giving its hold on the folder back (`leave`)
/// and ending the process. `place`: where this process stands among those that train the run; null:
/// it does alone. Rank 0 writes and tells.
RunRecord execute(RunPlan& plan, const std::shared_ptr<Stop>& stop = std::make_shared<Stop>(),
                  const RankPlace* place = nullptr);

}  // namespace gcg
