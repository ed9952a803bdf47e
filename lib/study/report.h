#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "study/gpus.h"
#include "study/planned_run.h"

namespace gcg {

/// --list: the curves and how many runs each has.
void print_list(const Experiment& experiment, const std::vector<PlannedRun>& planned);

/// --status: the state of every selected run; failed ones with their log and its last line, running
/// ones with who is at them; what is in the queue of a scheduler, if anything is.
void print_status(const std::vector<PlannedRun>& planned, const std::string& queue);

/// --dry-run: state, estimated seconds and exact gcg_run line of every selected run, and the total.
void print_dry_run(const std::vector<PlannedRun>& planned, std::int64_t side_by_side,
                   std::int64_t jobs, const GpuShare& gpus);

/// --explain: the runs behind the curve of this name, else behind the curves that contain it: their
/// seeds, states, run files and gcg_run lines. UsageError: no such curve.
void print_explanation(const std::vector<PlannedRun>& planned, std::string_view cell);

}  // namespace gcg
