#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace gcg {

/// One process to run.
struct Job {
  std::string name;                  ///< for messages
  std::vector<std::string> command;  ///< program and arguments
  std::filesystem::path log;         ///< receives standard output and error, appended
  double weight = 1;                 ///< expected share of the work, any unit
};

enum class JobState : std::uint8_t { waiting, running, done, failed };

/// Runs the jobs, at most `parallel` at a time, in order; a failed one does not stop the others.
/// `changed` is called in this process whenever a state changes and about once a second, with the
/// states by job. Each process gets OMP_NUM_THREADS = threads and waits passively, so that runs
/// side by side do not disturb each other. Returns the final states: done or failed.
std::vector<JobState> run_jobs(const std::vector<Job>& jobs, std::int64_t parallel,
                               std::int64_t threads,
                               const std::function<void(const std::vector<JobState>&)>& changed);

}  // namespace gcg
