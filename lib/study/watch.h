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

/// Shows how far the jobs of a launch are: one line, and one that stays for every run that ends.
/// What run files and logs say is read now and then. `index[j]` is the planned run of job j.
class LaunchProgress {
 public:
  LaunchProgress(const Experiment& experiment, const std::vector<PlannedRun>& planned,
                 const std::vector<Job>& jobs, const std::vector<std::size_t>& index);

  /// Called with the states by job, as often as one likes.
  void update(const std::vector<JobState>& states);

 private:
  [[nodiscard]] double share_done(std::size_t j, JobState state);
  void tell(std::size_t j, JobState state);
  void repeat_stages(std::size_t j);

  const Experiment& experiment_;
  const std::vector<Job>& jobs_;
  std::vector<const PlannedRun*> runs_;
  std::vector<JobState> before_;
  std::vector<std::streamoff> said_;
  ProgressLine line_;
  double last_ = 0;
};

/// The page that --status --watch repaints: counts, and per run its state, epochs of those planned,
/// last validation accuracy and time left; running and failed ones first, failed ones with their
/// log and its last line; at most `lines` lines (0: no limit).
std::string watch_page(const Experiment& experiment, const std::vector<PlannedRun>& planned,
                       std::size_t lines);

/// --status --watch: repaints the page every few seconds while runs of the study go on, in whatever
/// process, or tasks of it are queued; ends when neither is so in two looks in a row, for a worker
/// may be between two runs. Where the output is no terminal a page follows when something changed.
/// `queue` is asked now and then.
void watch_status(const Experiment& experiment, std::vector<PlannedRun>& planned,
                  const std::function<std::vector<QueuedTask>()>& queue);

}  // namespace gcg
