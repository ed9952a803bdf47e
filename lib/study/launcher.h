#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "study/gpus.h"
#include "study/queue.h"

namespace gcg {

struct LaunchSettings {
  std::int64_t parallel = 1;  ///< at most so many jobs at a time
  std::int64_t threads = 1;   ///< of each
  /// Bytes of memory that a new process can have; empty: what the system says.
  std::function<std::int64_t()> available_memory{};
  /// What is on disk of a job (JobQueue), where other processes may be at the same jobs; empty:
  /// nobody else is, and every job is free.
  std::function<JobFound(std::size_t)> look{};
  /// In which jobs are taken (JobQueue); empty: as they are listed.
  std::vector<std::size_t> order{};
  /// Ends when all that is left has been in other processes' hands for kLeaseSeconds, so that what
  /// a dead one held was found; else it waits for them.
  bool leave_to_others = false;
  double seconds = std::numeric_limits<double>::infinity();  ///< after which it ends its jobs
  GpuShare gpus{};                                           ///< for jobs that want one
};

/// How the jobs ended.
struct Launched {
  std::vector<JobState> states;  ///< done or failed; where it ended early also others
  int signal = 0;                ///< one of kEndingSignals if it ended the launch, else 0
  bool out_of_time = false;      ///< LaunchSettings::seconds ended it
};

/// Runs the jobs in order, as far as the jobs they wait for and memory allow. A failed job does not
/// stop the others; those that wait for it fail unstarted, and their log says so. `changed` is
/// called in this process whenever a state changes and several times a second, with the states by
/// job.
///
/// Each process gets OMP_NUM_THREADS = threads and waits passively, so that runs side by side do
/// not disturb each other, and GCG_CORES, its share of the cores (own_cores). A job that wants a
/// GPU gets the one that GpuPlaces finds as the only one that CUDA_VISIBLE_DEVICES shows, with
/// nvidia-smi's numbers (CUDA_DEVICE_ORDER) unless the environment says otherwise. Processes end
/// with this one, however it ends. SIGINT, SIGTERM and SIGHUP (unless ignored) end all processes,
/// then the call: runs go on from their last checkpoint later.
///
/// Memory: a job is started beside others only if room_for_job says so.
/// Errors: settings below 1, jobs that want a GPU where the launch has none, a program that cannot
/// be started, jobs that wait for each other.
Launched run_jobs(const std::vector<Job>& jobs, const LaunchSettings& settings,
                  const std::function<void(const std::vector<JobState>&)>& changed);

/// Memory of one process under way, bytes.
struct ProcessMemory {
  std::int64_t now = 0;    ///< resident, without pages of files
  std::int64_t peak = 0;   ///< the largest of it so far, or expected
  std::int64_t files = 0;  ///< resident pages of files
};

/// What a process is taken to need at least: it has only just begun when the next one is
/// considered.
inline constexpr std::int64_t kLeastJobMemory = 256LL << 20;

/// Whether one more process that may come to `expected` bytes (0: unknown) fits beside those under
/// way: the available memory has to hold it and what they may still take. A process may come to its
/// own peak, to that of the largest one if its own is not known, and to kLeastJobMemory at least.
/// Pages of files are shared (data sets are mapped): they count once, as those of the process that
/// has most.
bool room_for_job(std::int64_t available, std::int64_t expected,
                  const std::vector<ProcessMemory>& running);

/// What a new process can have, bytes: MemAvailable of the system, or the room that is left in a
/// control group around this process, if that is less.
std::int64_t available_memory_bytes();

}  // namespace gcg
