#include "study/launcher.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.h"

namespace gcg {
namespace {

Job shell(const std::string& name, const std::string& script) {
  const auto log = std::filesystem::path(testing::TempDir()) / (name + ".launcher.log");
  std::filesystem::remove(log);
  return {name, {"/bin/sh", "-c", script}, log};
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Launcher, AFailedJobDoesNotStopTheOthers) {
  const std::vector<Job> jobs{shell("bad", "exit 3"), shell("killed", "kill -9 $$"),
                              shell("good", "true")};
  const auto states = run_jobs(jobs, 1, 1, [](const auto&) {});
  EXPECT_EQ(states, (std::vector{JobState::failed, JobState::failed, JobState::done}));
}

TEST(Launcher, NeverMoreJobsSideBySideThanAsked) {
  std::vector<Job> jobs;
  for (int j = 0; j < 5; ++j) {
    jobs.push_back(shell("job" + std::to_string(j), "sleep 0.3"));
  }
  std::int64_t most = 0;
  run_jobs(jobs, 2, 1, [&](const std::vector<JobState>& states) {
    most =
        std::max<std::int64_t>(most, std::count(states.begin(), states.end(), JobState::running));
  });
  EXPECT_EQ(most, 2);
}

TEST(Launcher, OutputGoesToTheLogAndThreadsToTheEnvironment) {
  const std::vector<Job> jobs{
      shell("speaker", "echo threads $OMP_NUM_THREADS; echo complaint >&2")};
  run_jobs(jobs, 1, 3, [](const auto&) {});
  EXPECT_EQ(text_of(jobs.front().log), "threads 3\ncomplaint\n");
}

TEST(Launcher, AProgramThatDoesNotExistFails) {
  const std::vector<Job> jobs{{"ghost", {"/no/such/program"}, "/dev/null"}};
  EXPECT_THROW((void)run_jobs(jobs, 1, 1, [](const auto&) {}), Error);
}

TEST(Launcher, JobsEndWithTheLauncher) {
  const std::vector<Job> jobs{shell("orphan", "echo started; exec sleep 61.4375")};
  const pid_t launcher = ::fork();
  ASSERT_GE(launcher, 0);
  if (launcher == 0) {
    (void)run_jobs(jobs, 1, 1, [](const auto&) {});
    ::_exit(0);
  }
  while (text_of(jobs.front().log) != "started\n") {
    ::usleep(10000);
  }
  ::kill(launcher, SIGKILL);
  ::waitpid(launcher, nullptr, 0);
  ::usleep(200000);
  EXPECT_NE(std::system("pgrep -f '^sleep 61.4375$' > /dev/null"), 0);
}

TEST(Launcher, NoJobsEndAtOnce) {
  EXPECT_TRUE(run_jobs({}, 2, 1, [](const auto&) {}).empty());
}

}  // namespace
}  // namespace gcg
