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
  elsewhere,  ///< another process is at it
  done,
  failed
};

/// What is on disk of a job that might be started.
enum class JobFound : std::uint8_t { open, busy, done, failed };

/// In which a worker of this name takes jobs: those that others wait for first. Workers begin at
/// different places, so that they do not all reach for the same job.
std::vector<std::size_t> order_of_worker(const std::vector<Job>& jobs, std::string_view worker);

/// Seconds after which a job that another process is at is looked at again.
inline constexpr double kLookAgain = 5;

/// Which of a list of jobs may start next, where other processes may be at the same list: nothing
/// but a look at each job's files tells them of each other.
class JobQueue {
 public:
  /// `look`: what is on disk of a job now. `now`: seconds on any clock. `order`: in which jobs are
  /// taken, all of them; empty: as they are listed. Jobs must outlive the queue. Errors: a job that
  /// waits for one that is not there.
  JobQueue(const std::vector<Job>& jobs, std::function<JobFound(std::size_t)> look,
           std::function<double()> now, std::vector<std::size_t> order = {});

  /// The first job that waits for none and is free by a look at it; none: not now. Jobs found
  /// elsewhere, done or failed become so; those that wait for a failed one fail, which their logs
  /// say. Jobs elsewhere are looked at again only where nothing else is free.
  std::optional<std::size_t> ready();
  void start(std::size_t job);
  /// Done, failed, or elsewhere: another process was faster, or the job was stopped; it is looked
  /// at again.
  void ended(std::size_t job, JobState state);

  [[nodiscard]] const std::vector<JobState>& states() const { return states_; }
  [[nodiscard]] bool over() const;  ///< all are done or failed
  /// Whether all that is not over is in other processes' hands, and nothing waits for it.
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
  std::vector<double> looked_;  ///< when, of jobs elsewhere
};

}  // namespace gcg
