#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "study/gpus.h"
#include "study/queue.h"

namespace gcg {

struct LaunchSettings {
  std::int64_t parallel = 1;  ///< largest number of jobs at a time
  std::int64_t threads = 1;   ///< of each job
  /// Bytes of memory that a new process can have; empty: as the system says.
  std::function<std::int64_t()> available_memory{};
  /// Processes that were killed because memory ran out (base/control_group.h); empty: as the system
  /// says.
  std::function<std::optional<std::int64_t>()> memory_kills{};
  /// Looks at a job's files (JobQueue), if other processes may work on the same jobs. Empty: there
  /// are none, and every job is free.
  std::function<JobFound(std::size_t)> look{};
  /// The order in which jobs are taken (JobQueue); empty: as they are listed.
  std::vector<std::size_t> order{};
  /// Return when everything left has been in other processes' hands for kLeaseSeconds, so that jobs
  /// of a process that died were noticed. Otherwise wait for them.
  bool leave_to_others = false;
  double seconds = std::numeric_limits<double>::infinity();  ///< after which it ends its jobs
  GpuShare gpus{};                                           ///< for jobs that want one
};

/// How the jobs stand, or ended.
struct Launched {
  std::vector<JobState> states;      ///< at the end done or failed; others too if it ended early
  std::vector<std::string> reasons;  ///< by job: why it failed; empty where its log says it
  int signal = 0;                    ///< the one of kEndingSignals that ended the launch, or 0
  bool out_of_time = false;          ///< LaunchSettings::seconds ended it
};

/// Runs the jobs in order, as far as memory and the jobs that they wait for allow. A failed job
/// does not stop the others, nor does one that cannot be looked at or started; jobs that wait for
/// it fail without being started. Logs say so too, where they can be written: also how a process
/// ended that did not say so itself, by a signal or with a status. `changed` is called in this
/// process whenever a state changes and several times a second.
///
/// Each process gets OMP_NUM_THREADS = threads and waits passively, so that runs side by side do
/// not disturb each other, and GCG_CORES, its share of the cores (own_cores). A job that wants a
/// GPU gets the one that GpuPlaces finds as the only one that CUDA_VISIBLE_DEVICES shows, with
/// nvidia-smi's numbers (CUDA_DEVICE_ORDER) unless the environment says otherwise. Processes end
/// with this one, however it ends. SIGINT, SIGTERM and SIGHUP (unless ignored) end all processes,
/// then the call: runs go on from their last checkpoint later.
///
/// Memory: a job is started beside others only if room_for_job says so.
/// Errors: settings below 1, jobs that want a GPU where the launch has none, jobs that wait for
/// each other.
Launched run_jobs(const std::vector<Job>& jobs, const LaunchSettings& settings,
                  const std::function<void(const Launched&)>& changed);

/// Memory of one running process, bytes.
struct ProcessMemory {
  std::int64_t now = 0;    ///< resident, without pages of files
  std::int64_t peak = 0;   ///< largest so far, or expected
  std::int64_t files = 0;  ///< resident pages of files
};

/// The least memory that a process is assumed to need: it has only just started when the next one
/// is considered.
inline constexpr std::int64_t kLeastJobMemory = 256LL << 20;

/// Whether one more process, which may grow to `expected` bytes (0: unknown), fits beside those
/// running: the available memory must hold it and what the others may still take. A process may
/// grow to its own peak, or to the largest known peak if its own is unknown, and to at least
/// kLeastJobMemory. Pages of files are shared (data sets are mapped): they count once, as those of
/// the process that has most.
bool room_for_job(std::int64_t available, std::int64_t expected,
                  const std::vector<ProcessMemory>& running);

/// What a new process can have, bytes: the system's MemAvailable, or the room left in a control
/// group around this process if that is less. `root`: as for group_limits.
std::int64_t available_memory_bytes(const std::filesystem::path& root = "/");

}  // namespace gcg
