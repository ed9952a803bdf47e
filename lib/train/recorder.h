#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "record/checkpoint.h"

namespace gcg {

/// Saving after an epoch or a stage waits until it takes, with the stages kept meanwhile, at most
/// this share of the time since the last one: a checkpoint and a run file grow with the stages, and
/// so written take a time linear in them.
inline constexpr double kRecordingShare = 0.01;

/// Where a run is recorded, and when that was done last.
struct Recorder {
  std::filesystem::path folder;
  double checkpoint_seconds = 300;  ///< as TrainingRun::checkpoint_seconds
  bool keep_stages = true;
  double saved_at = now_seconds();
  double save_seconds = 0;  ///< duration of the last saving
  double kept_seconds = 0;  ///< of keeping stages since
  /// Flush those stages to disk, one each: the disk has less to do for many at once.
  std::vector<std::function<void()>> to_flush{};
  std::int64_t memory_bytes = 0;  ///< largest of this process when saving, without pages of files
};

/// Whether to save now: after `checkpoint_seconds` in any case, at a `good_moment` as soon as
/// kRecordingShare allows; at the first one of a process at once.
bool save_is_due(const Recorder& recorder, bool good_moment);

/// Flushes the kept stages, then writes the checkpoint, then the run file made from it, then the
/// status file (run_summary.h).
void save(Recorder& recorder, Checkpoint& now);

/// Keeps the state at the end of a stage's training (write_stage).
void keep_stage(Recorder& recorder, Checkpoint& now, std::int64_t stage);

/// Records in the run file that the run failed, and why. The checkpoint stays as it was.
void record_failure(Recorder& recorder, RunRecord& record, const std::string& failure);

/// The record of the run file in a folder; nothing if there is none, if it is damaged (it is
/// rebuilt from the checkpoint) or of another identity than `hash`.
std::optional<RunRecord> shown_record(const std::filesystem::path& folder, const std::string& hash);

}  // namespace gcg
