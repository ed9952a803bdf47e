#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>

#include "train/recorder.h"

namespace gcg {

/// Thrown by train() after it was asked to stop and has saved where it stands. No std::exception:
/// nothing has failed.
struct Stopped {};

/// Between a run and another thread that may end it.
struct Stop {
  /// Set by the other thread: the run ends at its next step.
  std::atomic<bool> asked = false;
  /// Set by the other thread, with asked: the folder is another process's, nothing is written.
  std::atomic<bool> lost = false;

  /// Held while the run's files are written.
  std::mutex recording;
  /// Where the run stood before work that may take long (an evaluation and the decision after it, a
  /// step with an update of the mask, a slow step), for save_kept; guarded by `recording`.
  std::optional<Checkpoint> kept{};
  std::optional<Recorder> recorder{};
  /// Gives the hold on the folder back; once there is one. Guarded by `recording`.
  std::function<void()> leave{};
};

/// For the other thread, where the run does not come to its next step in time: saves what was kept
/// last, if anything was since the last saving. Nothing is written by the run any more: the process
/// has to end without letting it go on.
void save_kept(Stop& stop);

}  // namespace gcg
