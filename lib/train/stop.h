#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "train/recorder.h"

namespace gcg {

/// Thrown by train() when it was asked to stop and has saved its state. Not a std::exception:
/// nothing has failed.
struct Stopped {};

/// Shared by a run and another thread that may end it.
struct Stop {
  /// Set by the other thread: the run ends at its next step.
  std::atomic<bool> asked = false;
  /// Set by the other thread, with `asked`: another process has the folder, nothing is written.
  std::atomic<bool> lost = false;

  /// Locked while the run's files are written.
  std::mutex recording;
  /// The state before work that may take long (an evaluation and the decision after it, a step with
  /// a mask update, a slow step), for save_kept. Guarded by `recording`.
  std::optional<Checkpoint> kept{};
  std::optional<Recorder> recorder{};
  /// Releases the hold on the folder, once there is one. Guarded by `recording`.
  std::function<void()> leave{};
};

/// For a run that fails before its training is under way: records that, and why, in the run file
/// that an earlier process left, unless this one may not write there, or that file is of another
/// run, of a finished one or damaged. What cannot be recorded is said by `say`.
void record_early_failure(Stop& stop, const std::filesystem::path& folder, const std::string& hash,
                          const std::string& failure,
                          const std::function<void(const std::string&)>& say);

/// For the other thread, if the run does not reach its next step in time: saves the state kept
/// last, if there is one since the last saving. After this the run writes nothing more: the process
/// must end without letting it continue.
void save_kept(Stop& stop);

}  // namespace gcg
