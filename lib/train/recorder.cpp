#include "train/recorder.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/host.h"
#include "record/run_file.h"
#include "record/run_summary.h"
#include "train/clock.h"

namespace gcg {

namespace {

/// Each keeps a descriptor open, of which a process has a few hundred.
constexpr std::size_t kMostToFlush = 64;

void flush_stages(Recorder& recorder) {
  for (const auto& flush : recorder.to_flush) {
    flush();
  }
  if (!recorder.to_flush.empty()) {
    flush_folder_of(stage_path(recorder.folder, 0));
    recorder.to_flush.clear();
  }
}

void show(Recorder& recorder, const RunRecord& record) {
  recorder.memory_bytes = std::max(recorder.memory_bytes, anonymous_memory_bytes());
  write_run_file(recorder.folder / kRunFileName, record);
  write_run_summary(recorder.folder, summary_of(record, recorder.memory_bytes));
}

}  // namespace

bool save_is_due(const Recorder& recorder, bool good_moment) {
  // At once where this process has not saved yet: it may be ended soon, again and again.
  const double allowed = recorder.save_seconds > 0
                             ? (recorder.save_seconds + recorder.kept_seconds) / kRecordingShare
                             : 0;
  const double wait =
      good_moment ? std::min(recorder.checkpoint_seconds, allowed) : recorder.checkpoint_seconds;
  return now_seconds() - recorder.saved_at >= wait;
}

void save(Recorder& recorder, Checkpoint& now) {
  CostRecord& cost = now.record.cost;
  const double begin = now_seconds();
  {
    const Stopwatch watch(cost.record_seconds);
    cost.peak_memory_bytes = std::max(cost.peak_memory_bytes, peak_memory_bytes());
    flush_stages(recorder);
    write_checkpoint(recorder.folder, now);
    show(recorder, now.record);
  }
  recorder.saved_at = now_seconds();
  recorder.save_seconds = recorder.saved_at - begin;
  recorder.kept_seconds = 0;
}

void keep_stage(Recorder& recorder, Checkpoint& now, std::int64_t stage) {
  if (recorder.keep_stages) {
    const Stopwatch watch(now.record.cost.record_seconds);
    const Stopwatch kept(recorder.kept_seconds);
    recorder.to_flush.push_back(write_stage(recorder.folder, stage, now));
    if (recorder.to_flush.size() == kMostToFlush) {
      flush_stages(recorder);
    }
  }
}

void record_failure(Recorder& recorder, RunRecord& record, const std::string& failure) {
  record.status = RunStatus::failed;
  record.failure = failure;
  show(recorder, record);
}

std::optional<RunRecord> shown_record(const std::filesystem::path& folder,
                                      const std::string& hash) {
  try {
    if (std::filesystem::exists(folder / kRunFileName)) {
      RunRecord record = read_run_file(folder / kRunFileName);
      if (record.identity.hash == hash) {
        return record;
      }
    }
  } catch (const Error&) {
    // Damaged.
  }
  return std::nullopt;
}

}  // namespace gcg
