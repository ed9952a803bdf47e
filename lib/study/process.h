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

/// Exit status of a program whose work the same command will continue: it was stopped by a signal
/// or a time limit, or another process is working on it.
inline constexpr int kContinueStatus = 75;

/// Receives signals by waiting instead of letting them end this process: SIGCHLD, and those of
/// kEndingSignals that are not ignored. It lasts until destruction, or for good after hold() or
/// once an ending signal came: the process is then about to end, and a second signal must not cut
/// that short.
/// Threads and processes started meanwhile inherit the mask; start_process resets it.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// The next signal; 0 if none comes in time.
  [[nodiscard]] int wait(std::int64_t milliseconds);
  [[nodiscard]] const sigset_t& before() const { return before_; }

  /// From here on to the end of the process no signal of these ends it: for a program whose work is
  /// this watch's alone, where a signal that comes when the work is done would spoil its exit
  /// status.
  void hold() { held_ = true; }

 private:
  sigset_t watched_{};
  sigset_t before_{};
  std::atomic<bool> held_ = false;
};

/// Starts a program with arguments, this process's environment plus these variables ("NAME=value"),
/// no input, and standard output and error appended to a log, or, if none is named, this process's
/// own. It gets SIGTERM when the calling
/// thread ends, however it ends. `signals`: its mask of blocked signals. Errors: a program that
/// cannot be executed, a log that cannot be opened.
pid_t start_process(const std::vector<std::string>& command,
                    const std::vector<std::string>& variables, const std::filesystem::path& log,
                    const sigset_t& signals);

/// What a program said on standard output, and its exit status (127: there is no such program).
struct ProgramAnswer {
  int status = 0;
  std::string text;
};

/// Runs a program of PATH to its end. What it says to standard error is the user's to read, unless
/// `quiet`. Errors: no shell.
ProgramAnswer answer_of(const std::vector<std::string>& command, bool quiet = false);

/// A command as a shell wants it.
std::string shell_line(const std::vector<std::string>& command);

/// A line of /proc/PID/status in bytes ("VmRSS", "VmHWM"); 0 if there is none any more.
std::int64_t process_memory(pid_t process, const std::string& line);

}  // namespace gcg
