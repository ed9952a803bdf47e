#pragma once

#include <optional>
#include <span>

#include "record/run_record.h"
#include "study/run_plan.h"

/// LibTorch takes up to a second to load, and sparse execution does without it. gcg_run therefore
/// begins without it and, if its plan needs it, goes on as gcg_run_libtorch, which lies beside it:
/// the same program linked to LibTorch. What a run takes from LibTorch is defined by the libraries
/// dense, device and world and in with_libtorch.cpp; for gcg_run, in without_libtorch.cpp.
namespace gcg {

/// LibTorch and its version; none: this program is not linked to it.
std::optional<Library> libtorch();

/// Whether the plan needs LibTorch: for its backend, for several processes, or for a rule that uses
/// curvature (GraSP).
bool needs_libtorch(const RunPlan& plan);

/// Goes on as gcg_run_libtorch with the arguments of main(), in the same process. Errors: there is
/// no such program beside this one.
[[noreturn]] void restart_with_libtorch(std::span<const char* const> arguments);

}  // namespace gcg
