#include "study/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
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

pid_t start(const Job& job, std::int64_t threads) {
  std::vector<std::string> command = job.command;
  std::vector<std::string> environment = job_environment(threads);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, job.log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t process = -1;
  const int code = posix_spawn(&process, command.front().c_str(), &actions, nullptr,
                               pointers(command).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) {
    throw Error(job.name, fmt::format("cannot start {} with log {}: {}", command.front(),
                                      job.log.string(), std::strerror(code)));
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
