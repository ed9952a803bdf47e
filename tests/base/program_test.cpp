// What a program does when the world around it is not as it should be: in a child process each.
#include "base/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <new>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/temporary_folder.h"

namespace gcg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

struct Ended {
  int status = 0;  ///< 128 + signal
  std::string errors;
};

/// Runs the body as a program whose standard error is a file, after `arrange`.
Ended run_in_child(
    const std::function<int()>& body, const std::function<void()>& arrange = [] {}) {
  const TemporaryFolder folder;
  const std::string log = (folder / "errors").string();
  const pid_t child = ::fork();
  if (child == 0) {
    if (std::freopen(log.c_str(), "w", stderr) == nullptr) {
      ::_exit(99);
    }
    arrange();
    const int status = run_program("prog", body);
    std::fflush(stderr);
    ::_exit(status);
  }
  int code = 0;
  ::waitpid(child, &code, 0);
  std::ifstream file(log);
  std::stringstream text;
  text << file.rdbuf();
  return {WIFEXITED(code) ? WEXITSTATUS(code) : 128 + WTERMSIG(code), text.str()};
}

TEST(Program, AFileBeyondTheLimitOfSizesIsAnError) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "large";
  const Ended ended = run_in_child(
      [&] {
        write_file_atomically(path, std::string(8192, 'x'));
        return 0;
      },
      [] {
        std::signal(SIGXFSZ, SIG_DFL);
        const rlimit limit{4096, 4096};
        ::setrlimit(RLIMIT_FSIZE, &limit);
      });
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.errors, AllOf(HasSubstr("large"), HasSubstr("cannot write: File too large"),
                                  HasSubstr("make room for the file")));
  EXPECT_FALSE(std::filesystem::exists(path));
}

int print_result() {
  fmt::print("a result\n");
  return 0;
}

TEST(Program, ExitStatusTellsTheKindOfFailure) {
  EXPECT_EQ(run_in_child([] { return 7; }).status, 7);
  EXPECT_EQ(run_in_child([]() -> int { throw UsageError("--a", "b"); }).status, 2);
  const Ended failed = run_in_child([]() -> int { throw Error("file", "is gone"); });
  EXPECT_EQ(failed.status, 1);
  EXPECT_EQ(failed.errors, "prog: file: is gone\n");
  const Ended memory = run_in_child([]() -> int { throw std::bad_alloc(); });
  EXPECT_EQ(memory.status, 1);
  EXPECT_THAT(memory.errors,
              AllOf(HasSubstr("prog: out of memory\n  remedy: "), HasSubstr("batch")));
}

TEST(Program, AResultThatCannotBeWrittenIsAFailure) {
  const auto stdout_to = [](const char* path) {
    return [path] { ::dup2(::open(path, O_WRONLY), STDOUT_FILENO); };
  };
  EXPECT_EQ(run_in_child(print_result, stdout_to("/dev/null")).status, 0);
  const Ended full = run_in_child(print_result, stdout_to("/dev/full"));
  EXPECT_EQ(full.status, 1);
  EXPECT_THAT(full.errors, HasSubstr("standard output: cannot be written: No space left"));
  const Ended closed = run_in_child(print_result, [] { ::close(STDOUT_FILENO); });
  EXPECT_EQ(closed.status, 1);
  EXPECT_THAT(closed.errors, HasSubstr("standard output: cannot be written"));
  const Ended gone = run_in_child(print_result, [] {
    int ends[2];
    if (::pipe(ends) == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::close(ends[0]);
    }
  });
  EXPECT_EQ(gone.status, 1);
  EXPECT_THAT(gone.errors, HasSubstr("Broken pipe"));
}

TEST(Program, WorkGoesOnWithoutAnAudience) {
  const auto work = [] {
    ProgressLine line(stderr, 0);
    for (int i = 0; i < 100; ++i) {
      line.show("progress", i / 100.0);
      line.say("a line");
    }
    return 5;
  };
  for (const char* path : {"/dev/full", "/dev/null"}) {
    EXPECT_EQ(run_in_child(work, [&] { ::dup2(::open(path, O_WRONLY), STDERR_FILENO); }).status, 5);
  }
  EXPECT_EQ(run_in_child(work, [] { ::close(STDERR_FILENO); }).status, 5);
}

TEST(Program, AClosedStandardStreamTakesNoOtherFilesPlace) {
  const TemporaryFolder folder;
  const std::string path = (folder / "file").string();
  const auto write = [&] {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT, 0666);
    fmt::print("to standard output\n");
    std::fputs("to standard error\n", stderr);
    std::fflush(stderr);
    return ::write(file, "mine", 4) == 4 ? 0 : 3;
  };
  (void)run_in_child(write, [] {
    ::close(STDOUT_FILENO);
    ::close(STDERR_FILENO);
  });
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), "mine");
}

TEST(Program, AMappedFileThatIsCutIsTold) {
  const TemporaryFolder folder;
  const std::string path = (folder / "file").string();
  std::ofstream(path) << std::string(100000, 'x');
  const Ended ended = run_in_child([&] {
    const int file = ::open(path.c_str(), O_RDWR);
    const auto* bytes =
        static_cast<const volatile char*>(::mmap(nullptr, 100000, PROT_READ, MAP_SHARED, file, 0));
    return ::ftruncate(file, 0) == 0 ? bytes[90000] : 3;
  });
  EXPECT_EQ(ended.status, 128 + SIGBUS);
  EXPECT_THAT(ended.errors, HasSubstr("a file that is mapped into memory was cut short"));
}

}  // namespace
}  // namespace gcg
