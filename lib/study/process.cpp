#include "study/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string_view>

#include "base/error.h"
#include "base/text.h"

namespace gcg {

namespace {

/// The environment of this process with some variables replaced.
std::vector<std::string> environment_with(const std::vector<std::string>& variables) {
  std::vector<std::string> result = variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('=') + 1);
    if (std::none_of(variables.begin(), variables.end(),
                     [&](const std::string& variable) { return variable.starts_with(name); })) {
      result.emplace_back(text);
    }
  }
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

}  // namespace

SignalWatch::SignalWatch() {
  ::sigemptyset(&watched_);
  ::sigaddset(&watched_, SIGCHLD);
  for (const int signal : kEndingSignals) {
    struct sigaction action {};
    // What nohup or a shell's background made this process ignore, it goes on ignoring.
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) {
      ::sigaddset(&watched_, signal);
    }
  }
  ::pthread_sigmask(SIG_BLOCK, &watched_, &before_);
}

SignalWatch::~SignalWatch() {
  if (!held_) {
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
}

int SignalWatch::wait(std::int64_t milliseconds) {
  const timespec limit{milliseconds / 1000, milliseconds % 1000 * 1000000};
  const int signal = ::sigtimedwait(&watched_, nullptr, &limit);
  if (signal <= 0) {
    return 0;
  }
  held_ = held_ || signal != SIGCHLD;
  return signal;
}

pid_t start_process(const std::vector<std::string>& command,
                    const std::vector<std::string>& variables, const std::filesystem::path& log,
                    const sigset_t& signals) {
  std::vector<std::string> words = command;
  std::vector<std::string> environment = environment_with(variables);
  const std::vector<char*> arguments = pointers(words);
  const std::vector<char*> all_variables = pointers(environment);
  const auto fail = [&](std::string_view action, int code) {
    throw Error(command.front(), fmt::format("cannot {} with log {}: {}", action, log.string(),
                                             std::strerror(code)));
  };
  if (::access(command.front().c_str(), X_OK) != 0) {
    fail("be started", errno);
  }
  const int output = log.empty()
                         ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                         : ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  const int open_error = errno;
  const int input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t parent = ::getpid();
  const pid_t process = output < 0 || input < 0 ? -1 : ::fork();
  const int fork_error = errno;
  if (process == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent || ::dup2(input, STDIN_FILENO) < 0 ||
        ::dup2(output, STDOUT_FILENO) < 0 || (!log.empty() && ::dup2(output, STDERR_FILENO) < 0) ||
        ::sigprocmask(SIG_SETMASK, &signals, nullptr) != 0) {
      ::_exit(126);
    }
    ::execve(arguments.front(), arguments.data(), all_variables.data());
    ::_exit(127);
  }
  for (const int descriptor : {output, input}) {
    if (descriptor >= 0) {
      ::close(descriptor);
    }
  }
  if (output < 0) {
    fail("be started", open_error);
  }
  if (process < 0) {
    fail("be started", fork_error);
  }
  return process;
}

ProgramAnswer answer_of(const std::vector<std::string>& command, bool quiet) {
  std::fflush(nullptr);
  FILE* pipe = ::popen((shell_line(command) + (quiet ? " 2> /dev/null" : "")).c_str(), "r");
  if (pipe == nullptr) {
    throw Error(command.front(), "cannot be run");
  }
  ProgramAnswer answer;
  char part[4096];
  for (std::size_t size = 0; (size = std::fread(part, 1, sizeof(part), pipe)) > 0;) {
    answer.text.append(part, size);
  }
  const int status = ::pclose(pipe);
  answer.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return answer;
}

std::string shell_line(const std::vector<std::string>& command) {
  std::string line;
  for (const std::string& word : command) {
    line += line.empty() ? "" : " ";
    line += shell_word(word);
  }
  return line;
}

std::int64_t process_memory(pid_t process, const std::string& line) {
  std::ifstream status(fmt::format("/proc/{}/status", process));
  for (std::string text; std::getline(status, text);) {
    if (text.starts_with(line + ":")) {
      return std::strtoll(text.c_str() + line.size() + 1, nullptr, 10) * 1024;
    }
  }
  return 0;
}

}  // namespace gcg
