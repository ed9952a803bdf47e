#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace gcg {

/// Signals by which a user or a scheduler ends a run or a launch.
inline constexpr std::array kEndingSignals{SIGINT, SIGTERM, SIGHUP, SIGUSR1};

/// Exit status of a program whose work is to be continued by the same command: it was stopped by a
/// signal or by a limit of time, or another process is at it.
inline constexpr int kContinueStatus = 75;

/// Signals that are waited for instead of ending this process: SIGCHLD, and those of kEndingSignals
/// that are not ignored. Until destruction, or for good once an ending one came: the process is on
/// its way out then, and a second one does not cut it short. Threads and processes started
/// meanwhile inherit the mask, start_process undoes it.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// The next signal; 0 if none comes in time.
  [[nodiscard]] int wait(std::int64_t milliseconds);
  [[nodiscard]] const sigset_t& before() const { return before_; }

 private:
  sigset_t watched_{};
  sigset_t before_{};
  std::atomic<bool> ends_ = false;
};

/// Starts a program with arguments, this process's environment and these variables ("NAME=value"),
/// no input, and standard output and error appended to a log, or, if none is named, this process's.
/// It gets SIGTERM when the calling
/// thread ends, however it ends. `signals`: its mask of blocked signals. Errors: a program that
/// cannot be executed, a log that cannot be opened.
pid_t start_process(const std::vector<std::string>& command,
                    const std::vector<std::string>& variables, const std::filesystem::path& log,
                    const sigset_t& signals);

/// A line of /proc/PID/status in bytes ("VmRSS", "VmHWM"); 0 if there is none any more.
std::int64_t process_memory(pid_t process, const std::string& line);

}  // namespace gcg
