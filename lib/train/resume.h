#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "record/checkpoint.h"
#include "train/stage.h"

namespace gcg {

/// The record that a run goes on with: that of its checkpoint with the facts (network, build, host,
/// threads, execution, libraries, options, command line) of this process, `own`; a finished run
/// keeps the facts of the process that computed it. Another processor, build or set of libraries is
/// a warning in the record and said: equal bits are promised on equal ones. Error, naming `place`:
/// a checkpoint of another run or of other data.
RunRecord resumed_record(RunRecord old, RunRecord own, const std::string& place,
                         const std::function<void(const std::string&)>& say);

/// Whether a checkpoint can be one of this run: positions in their ranges, counts that agree, zero
/// bits at absent connections. An Error that names `place`, and what cannot be.
void check_position(const Checkpoint& now, const Stage& stage, std::int64_t counted,
                    std::int64_t epoch_batches, const std::string& place);

/// A run whose file says that it failed goes on once more from its checkpoint, for the cause may
/// have been the machine's: that is said and becomes a warning of the record. If the run failed in
/// the same way after such a warning: an Error, and nothing is trained.
void tell_failure(const std::filesystem::path& folder, RunRecord& record,
                  const std::function<void(const std::string&)>& say);

}  // namespace gcg
