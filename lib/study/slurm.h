#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace gcg {

/// What a user asks of Slurm. Empty or 0: Slurm's default.
struct SlurmRequest {
  std::int64_t workers = 1;
  std::int64_t gpus = 0;  ///< of each worker
  std::int64_t cpus = 0;  ///< of each worker
  std::string partition, account, memory, time;
};

/// UsageError: counts out of range, words that a line of a batch script cannot hold.
void check_slurm_request(const SlurmRequest& request);

/// A study as Slurm sees it.
struct SlurmStudy {
  std::string name;                 ///< name of its jobs: "gcg-growth_rules-smoke"
  std::filesystem::path files;      ///< prefix of written files: OUT/NAME-SCALE.slurm
  std::vector<std::string> worker;  ///< command of one worker
  bool exclusive = false;           ///< a worker needs a whole node
};

/// The batch script: an array of equal workers. A worker that is told its time is nearly over saves
/// its state and is queued again; if Slurm preempts one, Slurm queues it again (--requeue).
std::string batch_script(const SlurmStudy& study, const SlurmRequest& request);

/// Writes the script into the folder of runs and returns its path.
std::filesystem::path write_batch_script(const SlurmStudy& study, const SlurmRequest& request);

/// Submits a script and writes the job's number beside it. Errors: sbatch cannot be run or refuses.
std::string submit(const SlurmStudy& study, const std::filesystem::path& script);

/// The numbers of the jobs that were submitted for the study from its folder of runs.
std::vector<std::string> submitted_jobs(const SlurmStudy& study);

/// A task of the study in Slurm's queue.
struct QueuedTask {
  std::string task;    ///< "12_3"
  std::string state;   ///< RUNNING, PENDING, ...
  std::string node;    ///< where it runs
  std::string reason;  ///< why it waits
  bool operator==(const QueuedTask&) const = default;
};

/// The tasks of these jobs in squeue's output. Errors: lines of another form.
std::vector<QueuedTask> read_queue(std::string_view answer, const std::vector<std::string>& jobs);

/// The queued tasks of all jobs that were submitted for the study: one call of squeue, or none if
/// nothing was submitted. Errors: squeue cannot be run or fails.
std::vector<QueuedTask> queued_tasks(const SlurmStudy& study);

/// For people: "in Slurm's queue: 2 running (12_1 on node1, ...), 1 pending (Resources)"; empty if
/// nothing is queued.
std::string queue_text(const std::vector<QueuedTask>& tasks);

/// Removes the tasks from the queue with one call of scancel.
void cancel(const std::vector<QueuedTask>& tasks);

}  // namespace gcg
