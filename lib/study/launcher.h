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
  std::vector<std::size_t> after{};  ///< jobs, by index, that have to be done before it starts
  std::int64_t memory_bytes = 0;     ///< largest resident memory, where known; 0: unknown
};

enum class JobState : std::uint8_t { waiting, running, done, failed };

struct LaunchSettings {
  std::int64_t parallel = 1;  ///< at most so many jobs at a time
  std::int64_t threads = 1;   ///< of each
  /// Bytes of memory that a new process can have; empty: what the system says.
  std::function<std::int64_t()> available_memory{};
};

/// How the jobs ended.
struct Launched {
  std::vector<JobState> states;  ///< done or failed; after a signal also waiting
  int signal = 0;                ///< SIGINT, SIGTERM or SIGHUP if one ended the launch, else 0
};

/// Runs the jobs in order, as far as the jobs they wait for and memory allow. A failed job does not
/// stop the others; those that wait for it fail unstarted, and their log says so. `changed` is
/// called in this process whenever a state changes and several times a second, with the states by
/// job.
///
/// Each process gets OMP_NUM_THREADS = threads and waits passively, so that runs side by side do
/// not disturb each other. Processes end with this one, however it ends. SIGINT, SIGTERM and SIGHUP
/// (unless ignored) end all processes, then the call: runs go on from their last checkpoint later.
///
/// Memory: a job is started beside others only if room_for_job says so.
/// Errors: settings below 1, a program that cannot be started, jobs that wait for each other.
Launched run_jobs(const std::vector<Job>& jobs, const LaunchSettings& settings,
                  const std::function<void(const std::vector<JobState>&)>& changed);

/// Memory of one process under way, bytes.
struct ProcessMemory {
  std::int64_t now = 0;   ///< resident
  std::int64_t peak = 0;  ///< largest resident so far, or expected
};

/// What a process is taken to need at least: it has only just begun when the next one is
/// considered.
inline constexpr std::int64_t kLeastJobMemory = 256LL << 20;

/// Whether one more process that may come to `expected` bytes (0: unknown) fits beside those under
/// way: the available memory has to hold it and what they may still take. A process may come to its
/// own peak, to that of the largest one if its own is not known, and to kLeastJobMemory at least.
bool room_for_job(std::int64_t available, std::int64_t expected,
                  const std::vector<ProcessMemory>& running);

/// MemAvailable of the system, bytes.
std::int64_t available_memory_bytes();

}  // namespace gcg
