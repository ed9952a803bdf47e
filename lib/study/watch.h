#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "study/launcher.h"
#include "study/planned_run.h"
#include "study/slurm.h"

namespace gcg {

/// Shows the progress of a launch: one progress line, and one that stays for every run that ends.
/// Run files and logs are read from time to time. `index[j]` is the planned run of job j.
class LaunchProgress {
 public:
  LaunchProgress(const Experiment& experiment, const std::vector<PlannedRun>& planned,
                 const std::vector<Job>& jobs, const std::vector<std::size_t>& index);

  /// Takes how the jobs stand; may be called as often as wanted.
  void update(const Launched& launched);

 private:
  [[nodiscard]] double share_done(std::size_t j, JobState state);
  void tell(std::size_t j, JobState state, const std::string& reason);
  void repeat_stages(std::size_t j);

  const Experiment& experiment_;
  const std::vector<Job>& jobs_;
  std::vector<const PlannedRun*> runs_;
  std::vector<JobState> before_;
  std::vector<std::streamoff> said_;
  ProgressLine line_;
  double last_ = 0;
};

/// The page that --status --watch repaints: counts, and per run its state, epochs out of those
/// planned, last validation accuracy and time left. Running and failed runs come first, failed ones
/// with their log and why they failed. At most `lines` lines (0: no limit).
std::string watch_page(const Experiment& experiment, const std::vector<PlannedRun>& planned,
                       std::size_t lines);

/// What --status --watch says of the scheduler's queue.
struct QueueText {
  std::string text;   ///< queue_text(), or that and why it cannot be asked now
  bool known = true;  ///< it could be asked
};

/// Asks the queue. A scheduler that answered before and does not now (it is restarted, the network
/// is down) is no end of watching: the text says so. Errors: `first`, and it cannot be asked.
QueueText asked_queue(const std::function<std::vector<QueuedTask>()>& queue, bool first);

/// --status --watch: repaints the page every few seconds while runs of the study are in progress,
/// in any process, or tasks of it are queued. It ends when neither holds in two looks in a row,
/// since a worker may be between two runs, or when every run is finished and the queue cannot be
/// asked. If the output is no terminal, a page is printed when
/// something changed. `queue` is asked from time to time.
void watch_status(const Experiment& experiment, std::vector<PlannedRun>& planned,
                  const std::function<std::vector<QueuedTask>()>& queue);

}  // namespace gcg
