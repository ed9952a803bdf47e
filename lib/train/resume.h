#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/error.h"
#include "record/checkpoint.h"
#include "train/stage.h"

namespace gcg {

/// The record that a run continues with: that of its checkpoint with the facts (network, build,
/// host, threads, execution, libraries, options, command line) of this process, `own`. A finished
/// run keeps the facts of the process that computed it. If processor, build or libraries differ, a
/// warning is recorded and printed, since equal bits are promised only if they are equal. Errors
/// (name `place`): a checkpoint of another run or of other data.
RunRecord resumed_record(RunRecord old, RunRecord own, const std::string& place,
                         const std::function<void(const std::string&)>& say);

/// What an epoch of a run has.
struct EpochSize {
  std::int64_t batches = 0;
  std::int64_t images = 0;
};

/// No phase has more epochs: an option's most, stretched by a budget (kLargestStretch).
inline constexpr std::int64_t kMostEpochs = 5'000'000;

/// Checks that a checkpoint can belong to this run: positions, updates and rates in their ranges,
/// consistent counts, zero bits at absent connections. An Error names `place` and what is
/// impossible.
void check_position(const Checkpoint& now, const Stage& stage, std::int64_t counted,
                    const EpochSize& epoch, const std::string& place);

/// Behind the reason of a failure that follows from the run's options alone.
inline constexpr const char* kFollowsFromOptions =
    "\n  this follows from the run's options: the same command ends here again";

/// A run that is not tried again.
class HopelessError : public Error {
 public:
  using Error::Error;
};

/// A run whose file says that it failed is continued from its checkpoint, since the cause may be
/// gone; this is printed and recorded as a warning. If it failed in the same way after such a
/// warning and that followed from its options: a HopelessError, and nothing is trained.
void tell_failure(const std::filesystem::path& folder, RunRecord& record,
                  const std::function<void(const std::string&)>& say);

}  // namespace gcg
