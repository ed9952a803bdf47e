#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/options.h"
#include "record/checkpoint.h"
#include "record/run_record.h"

namespace gcg {

/// Another run in the same folder of runs, from which a run branches off.
struct Trunk {
  std::string name;        ///< of the run's folder, RunIdentity::name; empty: no trunk
  std::int64_t stage = 0;  ///< at the end of which the run branches off
};

/// Adds the options trunk and trunk-stage. In an identity the trunk's name stands for the trunk (it
/// contains the trunk's hash), so that a run can be planned before its trunk has run.
void add_trunk_options(OptionList& list, Trunk& trunk);

/// UsageError if the name leads out of the folder of runs.
void check_trunk_name(const Trunk& trunk);

/// Reads the trunk's state at the end of the stage's training from `runs`/NAME/stages/. `own` is
/// the branch's record, with identity and network set. Errors: no such run or stage; a trunk with
/// another network, seed, images or validation split.
Checkpoint read_trunk(const std::filesystem::path& runs, const Trunk& trunk, const RunRecord& own);

/// Reads only the mask of that stage, from the trunk's run file. Errors: as above.
Mask read_trunk_mask(const std::filesystem::path& runs, const Trunk& trunk, const RunRecord& own);

/// Puts the trunk's record at the end of a stage into that of the branch, `own`: trajectory,
/// stages, masks and costs are the trunk's, the facts stay those of the branch, the trunk's
/// warnings come first, and one more warning says what was taken over.
void take_over(RunRecord trunk, const Trunk& from, RunRecord& own);

}  // namespace gcg
