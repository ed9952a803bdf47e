#include "study/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <map>
#include <string_view>
#include <thread>

#include "base/error.h"

namespace gcg {

namespace {

/// The environment of this process with our settings for the threads of a run.
std::vector<std::string> job_environment(std::int64_t threads) {
  constexpr std::array<std::string_view, 2> replaced{"OMP_NUM_THREADS=", "OMP_WAIT_POLICY="};
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (std::none_of(replaced.begin(), replaced.end(),
                     [&](std::string_view name) { return text.starts_with(name); })) {
      result.emplace_back(text);
    }
  }
  result.push_back(fmt::format("OMP_NUM_THREADS={}", threads));
  result.emplace_back("OMP_WAIT_POLICY=PASSIVE");
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) {
    result.push_back(text.data());
  }
  result.push_back(nullptr);
  return result;
}

/// Starts the job's process. It ends with this one, however this one ends: nobody would wait for
/// it.
pid_t start(const Job& job, std::int64_t threads) {
  std::vector<std::string> command = job.command;
  std::vector<std::string> environment = job_environment(threads);
  const std::vector<char*> arguments = pointers(command);
  const std::vector<char*> variables = pointers(environment);
  const auto fail = [&](std::string_view action) {
    throw Error(job.name, fmt::format("cannot {} {} with log {}: {}", action, command.front(),
                                      job.log.string(), std::strerror(errno)));
  };
  if (::access(command.front().c_str(), X_OK) != 0) {
    fail("start");
  }
  const int log = ::open(job.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (log < 0 || nothing < 0) {
    fail("open the files for");
  }
  const pid_t parent = ::getpid();
  const pid_t process = ::fork();
  if (process == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent || ::dup2(nothing, STDIN_FILENO) < 0 ||
        ::dup2(log, STDOUT_FILENO) < 0 || ::dup2(log, STDERR_FILENO) < 0) {
      ::_exit(126);
    }
    ::execve(arguments.front(), arguments.data(), variables.data());
    ::_exit(127);
  }
  ::close(log);
  ::close(nothing);
  if (process < 0) {
    fail("start");
  }
  return process;
}

/// The processes under way; none outlives an exception of the launcher.
struct Children {
  std::map<pid_t, std::size_t> running;

  Children() = default;
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;
  ~Children() {
    for (const auto& [process, job] : running) {
      ::kill(process, SIGTERM);
      ::waitpid(process, nullptr, 0);
    }
  }
};

}  // namespace

std::vector<JobState> run_jobs(const std::vector<Job>& jobs, std::int64_t parallel,
                               std::int64_t threads,
                               const std::function<void(const std::vector<JobState>&)>& changed) {
  if (parallel < 1 || threads < 1) {
    throw UsageError("--jobs", fmt::format("{} runs of {} threads", parallel, threads));
  }
  std::vector<JobState> states(jobs.size(), JobState::waiting);
  Children children;
  std::map<pid_t, std::size_t>& running = children.running;
  std::size_t next = 0;
  while (next < jobs.size() || !running.empty()) {
    while (next < jobs.size() && std::ssize(running) < parallel) {
      running[start(jobs[next], threads)] = next;
      states[next++] = JobState::running;
    }
    int status = 0;
    const pid_t process = waitpid(-1, &status, WNOHANG);
    if (process > 0) {
      if (const auto found = running.find(process); found != running.end()) {
        const bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        states[found->second] = good ? JobState::done : JobState::failed;
        running.erase(found);
      }
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    changed(states);
  }
  return states;
}

}  // namespace gcg
