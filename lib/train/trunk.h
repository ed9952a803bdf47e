#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/options.h"
#include "record/checkpoint.h"
#include "record/run_record.h"

namespace gcg {

/// Another run in the same folder of runs that a run branches off from.
struct Trunk {
  std::string name;        ///< of the run's folder, RunIdentity::name; empty: there is no trunk
  std::int64_t stage = 0;  ///< at whose end the run branches off
};

/// Options trunk and trunk-stage. The name stands for the trunk in an identity (it holds the
/// trunk's hash), so that a run can be planned before its trunk has run.
void add_trunk_options(OptionList& list, Trunk& trunk);

/// A name that leads out of the folder of runs: UsageError.
void check_trunk_name(const Trunk& trunk);

/// The whole state of the trunk at the end of the stage's training: `runs`/NAME/stages/. `own` is
/// the record of the branch, its identity and network set. Errors: no such run or stage; a trunk
/// with another network, seed, images or validation split.
Checkpoint read_trunk(const std::filesystem::path& runs, const Trunk& trunk, const RunRecord& own);

/// The mask of that stage alone, from the trunk's run file. Errors as above.
Mask read_trunk_mask(const std::filesystem::path& runs, const Trunk& trunk, const RunRecord& own);

/// Makes the record of a trunk at the end of a stage the branch's: its trajectory, stages, masks
/// and costs are the trunk's, its facts stay, the trunk's warnings come first; one more says what
/// was taken over.
void take_over(RunRecord trunk, const Trunk& from, RunRecord& own);

}  // namespace gcg
