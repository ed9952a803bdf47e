#include "base/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <system_error>

#include "base/error.h"

namespace gcg {

namespace {

/// The file that is opened next would be one of the standard streams, and progress would go there.
void hold_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) < 0 && errno == EBADF) {
      // Standard output is opened for reading, so that a lost result stays an error.
      const int flags = descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY;
      if (::open("/dev/null", flags) != descriptor) {
        ::_exit(1);
      }
    }
  }
}

/// Only what may be called in a handler; then the signal's own end.
void tell_lost_mapping(int signal) {
  constexpr std::string_view text =
      "a file that is mapped into memory was cut short, or its disk failed (SIGBUS)\n  remedy: "
      "do not change prepared data while a run uses them; start the same command again: it "
      "continues\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
  std::signal(signal, SIG_DFL);
}

void tell(std::string_view name, std::string_view problem) {
  const std::string line = fmt::format("{}: {}\n", name, problem);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace

std::string reason_of(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    return "out of memory\n  remedy: a smaller batch or network, fewer runs side by side, or a "
           "machine with more memory; a run continues where it was";
  }
  return error.what();
}

int run_program(std::string_view name, const std::function<int()>& body) {
  hold_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGBUS, tell_lost_mapping);
  try {
    const int status = body();
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      throw Error("standard output", fmt::format("cannot be written: {}", std::strerror(errno)),
                  "the output is lost, files that were written are not");
    }
    return status;
  } catch (const UsageError& error) {
    tell(name, error.what());
    return 2;
  } catch (const std::exception& error) {
    tell(name, reason_of(error));
  }
  return 1;
}

}  // namespace gcg
