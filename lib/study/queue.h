#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gcg {

/// One process to run.
struct Job {
  std::string name;                  ///< for messages
  std::vector<std::string> command;  ///< program and arguments
  std::filesystem::path log;         ///< receives standard output and error, appended
  std::vector<std::size_t> after{};  ///< jobs, by index, that have to be done before it starts
  std::int64_t memory_bytes = 0;     ///< largest memory without pages of files; 0: unknown
  bool gpu = false;                  ///< it gets a GPU of the launch
};

enum class JobState : std::uint8_t {
  waiting,
  running,    ///< in this launch
  elsewhere,  ///< another process works on it
  done,
  failed
};

/// What is on disk for a job that might be started.
enum class JobFound : std::uint8_t { open, busy, done, failed };

/// The order in which a worker of this name takes jobs: those that others wait for come first.
/// Workers begin at different places, so that they do not all try the same job.
std::vector<std::size_t> order_of_worker(const std::vector<Job>& jobs, std::string_view worker);

/// Seconds after which a job held by another process is looked at again.
inline constexpr double kLookAgain = 5;

/// Decides which of a list of jobs may start next while other processes may work on the same list.
/// Processes learn about each other only by looking at each job's files.
class JobQueue {
 public:
  /// `look`: what is on disk for a job now; if it throws a std::runtime_error, the job fails for
  /// this reason. `now`: seconds on any clock. `order`: the order in
  /// which jobs are taken, all of them; empty: as listed. Jobs must outlive the queue. Errors: a
  /// job that waits for one that does not exist.
  JobQueue(const std::vector<Job>& jobs, std::function<JobFound(std::size_t)> look,
           std::function<double()> now, std::vector<std::size_t> order = {});

  /// The first job that waits for nothing and that a look finds free; empty: none now. Jobs found
  /// elsewhere, done or failed get that state; jobs that wait for a failed one fail, and their logs
  /// say so. Jobs elsewhere are looked at again only if nothing else is free.
  std::optional<std::size_t> ready();
  void start(std::size_t job);
  /// `state`: done; failed; or elsewhere, if another process was faster or the job was stopped: it
  /// is then looked at again. `reason`: why it failed, as far as its log does not say so.
  void ended(std::size_t job, JobState state, std::string reason = {});

  [[nodiscard]] const std::vector<JobState>& states() const { return states_; }
  /// Why jobs failed; empty where only the log may say it.
  [[nodiscard]] const std::vector<std::string>& reasons() const { return reasons_; }
  [[nodiscard]] bool over() const;  ///< all are done or failed
  /// Whether other processes hold every job that is not over, and no job waits.
  [[nodiscard]] bool in_other_hands() const;

 private:
  std::optional<std::size_t> first_free();
  bool fail_waiting();
  void look_again();
  JobState look_at(std::size_t job);

  const std::vector<Job>& jobs_;
  std::function<JobFound(std::size_t)> look_;
  std::function<double()> now_;
  std::vector<std::size_t> order_;
  std::vector<JobState> states_;
  std::vector<std::string> reasons_;
  std::vector<double> looked_;  ///< time of the last look
};

}  // namespace gcg
