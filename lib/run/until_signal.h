#pragma once

#include "run/execute.h"

namespace gcg {

/// execute() for a process that a user or a scheduler may end: SIGINT, SIGTERM, SIGHUP and SIGUSR1
/// (unless ignored) make it save where it stands and throw Stopped. Where that would take more than
/// a few seconds, in an evaluation, a decision or a step, the state before it is saved and the
/// process ended with kContinueStatus: within 5 seconds, with one step lost at most. Such a signal
/// that comes later, when the run is done, does nothing: the process says by its status how the run
/// ended.
RunRecord execute_until_signal(RunPlan& plan, const RankPlace* place = nullptr);

}  // namespace gcg
