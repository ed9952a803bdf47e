#include "study/launcher.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>

#include "base/error.h"
#include "base/progress.h"
#include "study/process.h"

namespace gcg {

namespace {

/// Seconds a process has to end after SIGTERM.
constexpr double kGrace = 5;

/// The processes under way; none outlives an exception of the launcher.
struct Children {
  std::map<pid_t, std::size_t> running;

  Children() = default;
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;
  ~Children() { end(); }

  void end() {
    for (const auto& [process, job] : running) {
      ::kill(process, SIGTERM);
    }
    const double limit = now_seconds() + kGrace;
    for (const auto& [process, job] : running) {
      while (::waitpid(process, nullptr, WNOHANG) == 0) {
        if (now_seconds() > limit) {
          ::kill(process, SIGKILL);
          ::waitpid(process, nullptr, 0);
          break;
        }
        ::usleep(20000);
      }
    }
    running.clear();
  }
};

/// One launch on its way from the first job to the last.
class Launch {
 public:
  Launch(const std::vector<Job>& jobs, const LaunchSettings& settings)
      : jobs_(jobs), settings_(settings), states_(jobs.size(), JobState::waiting) {
    for (const Job& job : jobs) {
      if (std::ranges::any_of(job.after, [&](std::size_t index) { return index >= jobs.size(); })) {
        throw Error(job.name, "waits for a job that is not there");
      }
    }
    if (!settings_.available_memory) {
      settings_.available_memory = available_memory_bytes;
    }
  }

  Launched run(const std::function<void(const std::vector<JobState>&)>& changed) {
    while (!over()) {
      while (fail_waiting()) {
      }
      start_what_can_be();
      changed(states_);
      if (children_.running.empty()) {
        if (!over()) {
          throw Error("jobs", "wait for each other");
        }
        break;
      }
      const int signal = signals_.wait(200);
      if (signal != 0 && signal != SIGCHLD) {
        for (const auto& [process, job] : children_.running) {
          states_[job] = JobState::waiting;
        }
        children_.end();
        changed(states_);
        return {states_, signal};
      }
      collect();
    }
    changed(states_);
    return {states_, 0};
  }

 private:
  [[nodiscard]] bool over() const {
    return std::ranges::all_of(states_, [](JobState state) {
      return state == JobState::done || state == JobState::failed;
    });
  }

  /// In order: a job that finds no room holds up those behind it.
  void start_what_can_be() {
    bool room = true;
    for (std::size_t j = 0; j < jobs_.size(); ++j) {
      if (states_[j] != JobState::waiting) {
        continue;
      }
      room = room && std::ssize(children_.running) < settings_.parallel && memory_for(jobs_[j]);
      if (room && is_ready(jobs_[j])) {
        start(j);
      }
    }
  }

  [[nodiscard]] bool is_ready(const Job& job) const {
    return std::ranges::all_of(job.after,
                               [&](std::size_t index) { return states_[index] == JobState::done; });
  }

  /// Fails jobs that wait for a failed one, and says so in their logs. Whether there was one.
  bool fail_waiting() {
    bool any = false;
    for (std::size_t j = 0; j < jobs_.size(); ++j) {
      const auto failed = std::ranges::find_if(
          jobs_[j].after, [&](std::size_t index) { return states_[index] == JobState::failed; });
      if (states_[j] == JobState::waiting && failed != jobs_[j].after.end()) {
        states_[j] = JobState::failed;
        std::ofstream(jobs_[j].log, std::ios::app)
            << fmt::format("not started: it waits for {}, which failed\n", jobs_[*failed].name);
        any = true;
      }
    }
    return any;
  }

  [[nodiscard]] bool memory_for(const Job& job) const {
    if (children_.running.empty()) {
      return true;
    }
    std::vector<ProcessMemory> running;
    for (const auto& [process, index] : children_.running) {
      running.push_back({process_memory(process, "VmRSS"),
                         std::max(jobs_[index].memory_bytes, process_memory(process, "VmHWM"))});
    }
    return room_for_job(settings_.available_memory(), job.memory_bytes, running);
  }

  void start(std::size_t j) {
    const pid_t process = start_process(
        jobs_[j].command,
        {fmt::format("OMP_NUM_THREADS={}", settings_.threads), "OMP_WAIT_POLICY=PASSIVE"},
        jobs_[j].log, signals_.before());
    children_.running[process] = j;
    states_[j] = JobState::running;
  }

  /// Notes every process that has ended.
  void collect() {
    for (auto at = children_.running.begin(); at != children_.running.end();) {
      int status = 0;
      if (::waitpid(at->first, &status, WNOHANG) != at->first) {
        ++at;
        continue;
      }
      const bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      states_[at->second] = good ? JobState::done : JobState::failed;
      at = children_.running.erase(at);
    }
  }

  const std::vector<Job>& jobs_;
  LaunchSettings settings_;
  std::vector<JobState> states_;
  SignalWatch signals_;
  Children children_;
};

}  // namespace

Launched run_jobs(const std::vector<Job>& jobs, const LaunchSettings& settings,
                  const std::function<void(const std::vector<JobState>&)>& changed) {
  if (settings.parallel < 1 || settings.threads < 1) {
    throw UsageError("--jobs",
                     fmt::format("{} runs of {} threads", settings.parallel, settings.threads));
  }
  return Launch(jobs, settings).run(changed);
}

bool room_for_job(std::int64_t available, std::int64_t expected,
                  const std::vector<ProcessMemory>& running) {
  std::int64_t largest = kLeastJobMemory;
  for (const ProcessMemory& process : running) {
    largest = std::max(largest, process.peak);
  }
  std::int64_t needed = expected > 0 ? std::max(expected, kLeastJobMemory) : largest;
  for (const ProcessMemory& process : running) {
    needed += std::max<std::int64_t>(0, std::max(process.peak, kLeastJobMemory) - process.now);
  }
  return available >= needed;
}

std::int64_t available_memory_bytes() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("MemAvailable:")) {
      return std::strtoll(line.c_str() + std::string_view("MemAvailable:").size(), nullptr, 10) *
             1024;
    }
  }
  throw Error("/proc/meminfo", "does not say MemAvailable");
}

}  // namespace gcg
