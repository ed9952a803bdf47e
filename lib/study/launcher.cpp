#include "study/launcher.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>

#include "base/control_group.h"
#include "base/error.h"
#include "base/host.h"
#include "base/lease.h"
#include "base/progress.h"
#include "study/planned_run.h"
#include "study/process.h"

namespace gcg {

namespace {

/// Seconds a process has to end after SIGTERM: a run saves where it stands within 5.
constexpr double kGrace = 10;

/// Seconds before the limit of time in which no job is started any more.
constexpr double kLeastSeconds = 10;

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
      : jobs_(jobs),
        settings_(settings),
        queue_(
            jobs, settings.look ? settings.look : [](std::size_t) { return JobFound::open; },
            now_seconds, settings.order),
        limit_(now_seconds() + settings.seconds),
        places_(settings.gpus, now_seconds) {
    if (!settings_.available_memory) {
      settings_.available_memory = [] { return available_memory_bytes(); };
    }
    if (!settings_.memory_kills) {
      settings_.memory_kills = [] { return memory_kills(); };
    }
    kills_told_ = settings_.memory_kills().value_or(0);
    if (settings_.leave_to_others) {
      signals_.hold();  // a worker has nothing to do after it
    }
  }

  Launched run(const std::function<void(const Launched&)>& changed) {
    double in_other_hands = now_seconds();  // since then, as far as is known
    while (!queue_.over()) {
      places_.look();
      start_what_can_be();
      changed(now());
      if (children_.running.empty() && (queue_.over() || now_seconds() > limit_ - kLeastSeconds)) {
        break;
      }
      if (!queue_.in_other_hands()) {
        in_other_hands = now_seconds();
      } else if (settings_.leave_to_others && now_seconds() - in_other_hands > kLeaseSeconds) {
        break;
      }
      if (children_.running.empty() &&
          std::ranges::count(queue_.states(), JobState::elsewhere) == 0) {
        throw Error("jobs", "wait for each other in a circle");
      }
      const int signal = signals_.wait(200);
      const bool ended_by_signal = signal != 0 && signal != SIGCHLD;
      if (ended_by_signal || now_seconds() > limit_) {
        for (const auto& [process, job] : children_.running) {
          queue_.ended(job, JobState::waiting);
        }
        children_.end();
        changed(now());
        return now(ended_by_signal ? signal : 0, !ended_by_signal);
      }
      collect();
    }
    changed(now());
    return now(0, !queue_.over() && now_seconds() > limit_ - kLeastSeconds);
  }

 private:
  [[nodiscard]] Launched now(int signal = 0, bool out_of_time = false) const {
    return {queue_.states(), queue_.reasons(), signal, out_of_time};
  }

  void start_what_can_be() {
    while (std::ssize(children_.running) < settings_.parallel &&
           now_seconds() <= limit_ - kLeastSeconds) {
      const std::optional<std::size_t> job = queue_.ready();
      if (!job || !memory_for(jobs_[*job])) {
        return;
      }
      std::optional<std::size_t> gpu;
      if (jobs_[*job].gpu) {
        gpu = places_.find();
        if (!gpu) {
          return;
        }
      }
      start(*job, gpu);
    }
  }

  [[nodiscard]] bool memory_for(const Job& job) {
    if (children_.running.empty()) {
      return true;
    }
    std::vector<ProcessMemory> running;
    for (const auto& [process, index] : children_.running) {
      const std::int64_t now = process_memory(process, "RssAnon");
      std::int64_t& peak = peaks_[process];
      peak = std::max({peak, now, jobs_[index].memory_bytes});
      running.push_back({now, peak, process_memory(process, "RssFile")});
    }
    return room_for_job(settings_.available_memory(), job.memory_bytes, running);
  }

  void start(std::size_t j, std::optional<std::size_t> gpu) {
    std::vector<std::string> variables{
        fmt::format("OMP_NUM_THREADS={}", settings_.threads), "OMP_WAIT_POLICY=PASSIVE",
        fmt::format("GCG_CORES={}", std::max<std::int64_t>(1, own_cores() / side_by_side()))};
    if (gpu) {
      variables.push_back("CUDA_VISIBLE_DEVICES=" + places_.name(*gpu));
      if (std::getenv("CUDA_DEVICE_ORDER") == nullptr) {
        variables.emplace_back("CUDA_DEVICE_ORDER=PCI_BUS_ID");
      }
    }
    const std::uintmax_t log_bytes = size_of(jobs_[j].log);
    pid_t process = 0;
    try {
      process = start_process(jobs_[j].command, variables, jobs_[j].log, signals_.before());
    } catch (const Error& error) {
      queue_.ended(j, JobState::failed, error.what());
      return;
    }
    children_.running[process] = j;
    log_bytes_[process] = log_bytes;
    queue_.start(j);
    if (gpu) {
      places_.start(*gpu);
      gpus_[process] = *gpu;
    }
  }

  [[nodiscard]] std::int64_t side_by_side() const {
    return std::clamp<std::int64_t>(std::ssize(jobs_), 1, settings_.parallel);
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
      // One that is still being loaded when a signal comes ends by it.
      const bool goes_on =
          WIFEXITED(status) ? WEXITSTATUS(status) == kContinueStatus : WTERMSIG(status) == SIGTERM;
      JobState state = good ? JobState::done : JobState::failed;
      std::string reason;
      if (goes_on && settings_.look) {
        state = JobState::elsewhere;
      } else if (!good && !said_why(jobs_[at->second].log, log_bytes_[at->first], status)) {
        reason = end_text(status);
        // The log is for later; where the disk is full, this process alone still knows it.
        std::ofstream(jobs_[at->second].log, std::ios::app) << "\n" << reason << "\n";
      }
      queue_.ended(at->second, state, std::move(reason));
      peaks_.erase(at->first);
      log_bytes_.erase(at->first);
      if (const auto gpu = gpus_.find(at->first); gpu != gpus_.end()) {
        places_.end(gpu->second);
        gpus_.erase(gpu);
      }
      at = children_.running.erase(at);
    }
  }

  static std::uintmax_t size_of(const std::filesystem::path& log) {
    std::error_code code;
    const std::uintmax_t bytes = std::filesystem::file_size(log, code);
    return code ? 0 : bytes;
  }

  /// Whether a process gave its reason itself, in a log that had so many bytes when it began.
  static bool said_why(const std::filesystem::path& log, std::uintmax_t bytes, int status) {
    return WIFEXITED(status) && size_of(log) > bytes && is_complaint(last_words(log));
  }

  /// How a process ended that could not say so itself.
  std::string end_text(int status) {
    if (WIFEXITED(status)) {
      return fmt::format("ended with status {}", WEXITSTATUS(status));
    }
    const int signal = WTERMSIG(status);
    return fmt::format("ended by signal {} ({}){}", signal, ::strsignal(signal),
                       signal == SIGKILL ? about_kill() : "");
  }

  /// SIGKILL comes from the system where memory runs out, or from anybody.
  std::string about_kill() {
    constexpr std::string_view kRemedy = "fewer --jobs need less";
    const std::optional<std::int64_t> kills = settings_.memory_kills();
    if (!kills) {
      return fmt::format(": the system does so where memory runs out (dmesg tells); {}", kRemedy);
    }
    if (*kills <= kills_told_) {
      return "";
    }
    ++kills_told_;
    return fmt::format(": memory ran out; {}", kRemedy);
  }

  const std::vector<Job>& jobs_;
  LaunchSettings settings_;
  JobQueue queue_;
  double limit_;
  std::map<pid_t, std::int64_t> peaks_;
  std::map<pid_t, std::uintmax_t> log_bytes_;  ///< of each process's log when it began
  std::int64_t kills_told_ = 0;                ///< of memory_kills: explained, or older than this
  GpuPlaces places_;
  std::map<pid_t, std::size_t> gpus_;  ///< which each process has
  SignalWatch signals_;
  Children children_;
};

}  // namespace

Launched run_jobs(const std::vector<Job>& jobs, const LaunchSettings& settings,
                  const std::function<void(const Launched&)>& changed) {
  if (settings.parallel < 1 || settings.threads < 1) {
    throw UsageError("--jobs",
                     fmt::format("{} runs of {} threads", settings.parallel, settings.threads));
  }
  if (settings.gpus.names.empty() && std::ranges::any_of(jobs, &Job::gpu)) {
    throw Error("--device cuda", "no GPU is seen here",
                "see what nvidia-smi and CUDA_VISIBLE_DEVICES say, or take --device cpu");
  }
  return Launch(jobs, settings).run(changed);
}

bool room_for_job(std::int64_t available, std::int64_t expected,
                  const std::vector<ProcessMemory>& running) {
  std::int64_t largest = kLeastJobMemory;
  std::int64_t files = 0;
  for (const ProcessMemory& process : running) {
    largest = std::max(largest, process.peak);
    files = std::max(files, process.files);
  }
  std::int64_t needed = files + (expected > 0 ? std::max(expected, kLeastJobMemory) : largest);
  for (const ProcessMemory& process : running) {
    needed += std::max<std::int64_t>(0, std::max(process.peak, kLeastJobMemory) - process.now);
  }
  return available >= needed;
}

std::int64_t available_memory_bytes(const std::filesystem::path& root) {
  std::ifstream file(root / "proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("MemAvailable:")) {
      const std::int64_t system =
          std::strtoll(line.c_str() + std::string_view("MemAvailable:").size(), nullptr, 10) * 1024;
      return std::min(system, group_limits(root).free_memory_bytes.value_or(system));
    }
  }
  throw Error((root / "proc/meminfo").string(), "does not say MemAvailable");
}

}  // namespace gcg
