#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "study/gpus.h"
#include "study/planned_run.h"

namespace gcg {

/// --list: prints the curves and how many runs each has.
void print_list(const Experiment& experiment, const std::vector<PlannedRun>& planned);

/// --status: prints the state of every selected run; for failed ones their log and its last line,
/// for running ones who runs them; and what is in a scheduler's queue, if anything.
void print_status(const std::vector<PlannedRun>& planned, const std::string& queue);

/// --dry-run: prints state, estimated seconds and gcg_run line of each selected run, and the total.
void print_dry_run(const std::vector<PlannedRun>& planned, std::int64_t side_by_side,
                   std::int64_t jobs, const GpuShare& gpus);

/// --explain: prints the runs of the curve with this name, or else of the curves that contain it:
/// seeds, states, run files and gcg_run lines. UsageError: no such curve.
void print_explanation(const std::vector<PlannedRun>& planned, std::string_view cell);

}  // namespace gcg
