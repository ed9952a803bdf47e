#pragma once

#include "study/command_line.h"

namespace gcg {

/// Trains a run in its processes on this machine, each a process of this same program with the same
/// options; ending signals are passed on to them. Comes back when all have ended, with the exit
/// status: 0 if theirs is, kContinueStatus if they were stopped, else 1 after a line for each that
/// was killed. One that does not end after the others is killed.
int run_local_ranks(const GivenOptions& given, const RunPlan& plan);

}  // namespace gcg
