#include "study/launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "base/throws.h"
#include "study/process.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kGiB = 1LL << 30;

Job shell(const std::string& name, const std::string& script, std::vector<std::size_t> after = {}) {
  static const testing::TemporaryFolder logs;
  const auto log = logs / (name + ".log");
  std::filesystem::remove(log);  // logs are appended to
  return {name, {"/bin/sh", "-c", script}, log, std::move(after)};
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<JobState> states_of(const std::vector<Job>& jobs, std::int64_t parallel = 1) {
  return run_jobs(jobs, {parallel}, [](const auto&) {}).states;
}

constexpr auto kDone = JobState::done;
constexpr auto kFailed = JobState::failed;

TEST(Launcher, AFailedJobDoesNotStopTheOthers) {
  EXPECT_EQ(
      states_of({shell("bad", "exit 3"), shell("killed", "kill -9 $$"), shell("good", "true")}),
      (std::vector{kFailed, kFailed, kDone}));
}

TEST(Launcher, TheLogOfAJobThatDidNotSayItselfHowItEndedSaysSo) {
  const std::vector<Job> jobs{
      shell("shot", "printf 'epoch 3'; kill -9 $$"), shell("crash", "kill -SEGV $$"),
      shell("status", "exit 7"), shell("chatter", "echo epoch 3; exit 1"),
      shell("complaint", "echo 'gcg_run: no data'; echo '  remedy: fetch them'; exit 1")};
  LaunchSettings settings;
  settings.memory_kills = [] { return std::nullopt; };
  const Launched launched = run_jobs(jobs, settings, [](const auto&) {});
  EXPECT_EQ(launched.states, std::vector(5, kFailed));
  EXPECT_THAT(text_of(jobs[0].log),
              ::testing::StartsWith("epoch 3\nended by signal 9 (Killed): the system does so where "
                                    "memory runs out"));
  EXPECT_EQ(text_of(jobs[1].log), "\nended by signal 11 (Segmentation fault)\n");
  EXPECT_EQ(text_of(jobs[2].log), "\nended with status 7\n");
  EXPECT_EQ(text_of(jobs[3].log), "epoch 3\n\nended with status 1\n");
  EXPECT_EQ(text_of(jobs[4].log), "gcg_run: no data\n  remedy: fetch them\n");
  EXPECT_EQ(launched.reasons[2], "ended with status 7");
  EXPECT_EQ(launched.reasons[4], "");
}

TEST(Launcher, AnOldReasonInTheLogIsNotTakenForThatOfANewEnd) {
  const std::vector<Job> jobs{shell("again", "exit 3")};
  std::ofstream(jobs[0].log) << "gcg_run: no data\n";
  EXPECT_EQ(run_jobs(jobs, {}, [](const auto&) {}).reasons[0], "ended with status 3");
}

TEST(Launcher, TheReasonOutlivesALogThatCannotBeWritten) {
  Job job = shell("full", "kill -SEGV $$");
  job.log = "/dev/full";
  EXPECT_EQ(run_jobs({job}, {}, [](const auto&) {}).reasons[0],
            "ended by signal 11 (Segmentation fault)");
}

TEST(Launcher, MemoryRanOutWhereTheControlGroupCountsSo) {
  const std::vector<Job> jobs{shell("large", "kill -9 $$"), shell("shot", "kill -9 $$")};
  LaunchSettings settings;
  std::int64_t kills = 4;  // of the time before; then of the first job
  settings.memory_kills = [&] { return std::exchange(kills, 5); };
  EXPECT_THAT(
      run_jobs(jobs, settings, [](const auto&) {}).reasons,
      ::testing::ElementsAre("ended by signal 9 (Killed): memory ran out; fewer --jobs need less",
                             "ended by signal 9 (Killed)"));
}

TEST(Launcher, AJobThatCannotBeStartedFailsAlone) {
  std::vector<Job> jobs{shell("folder", "echo ran"),
                        shell("after it", "echo ran", {0}),
                        {"ghost", {"/no/such/program"}, "/dev/null"},
                        shell("good", "true")};
  std::filesystem::create_directory(jobs[0].log);
  const Launched launched = run_jobs(jobs, {}, [](const auto&) {});
  EXPECT_EQ(launched.states, (std::vector{kFailed, kFailed, kFailed, kDone}));
  EXPECT_THAT(launched.reasons[0], HasSubstr(jobs[0].log.string() + ": Is a directory"));
  EXPECT_EQ(launched.reasons[1], "not started: it waits for folder, which failed");
  EXPECT_THAT(launched.reasons[2], HasSubstr("/no/such/program: cannot be started"));
  std::filesystem::remove(jobs[0].log);
}

TEST(Launcher, AJobThatCannotBeLookedAtFailsAlone) {
  const std::vector<Job> jobs{shell("strange", "echo ran"), shell("good", "true")};
  LaunchSettings settings;
  settings.look = [](std::size_t j) {
    if (j == 0) {
      throw Error("runs/strange", "is not a folder");
    }
    return JobFound::open;
  };
  const Launched launched = run_jobs(jobs, settings, [](const auto&) {});
  EXPECT_EQ(launched.states, (std::vector{kFailed, kDone}));
  EXPECT_EQ(launched.reasons[0], "runs/strange: is not a folder");
  EXPECT_FALSE(std::filesystem::exists(jobs[0].log));
}

TEST(Launcher, NeverMoreJobsSideBySideThanAsked) {
  std::vector<Job> jobs;
  for (int j = 0; j < 5; ++j) {
    jobs.push_back(shell("job" + std::to_string(j), "sleep 0.3"));
  }
  std::int64_t most = 0;
  run_jobs(jobs, {2}, [&](const Launched& now) {
    most = std::max<std::int64_t>(most, std::ranges::count(now.states, JobState::running));
  });
  EXPECT_EQ(most, 2);
}

TEST(Launcher, OutputGoesToTheLogAndThreadsToTheEnvironment) {
  const std::vector<Job> jobs{
      shell("speaker", "echo threads $OMP_NUM_THREADS; echo complaint >&2")};
  run_jobs(jobs, {1, 3}, [](const auto&) {});
  EXPECT_EQ(text_of(jobs.front().log), "threads 3\ncomplaint\n");
}

TEST(Launcher, AJobStartsWhenThoseItWaitsForAreDone) {
  const testing::TemporaryFolder folder;
  const std::string order = (folder / "order").string();
  const auto note = [&](const std::string& word) { return "echo " + word + " >> " + order; };
  // Listed before the one it waits for, with room for both at once.
  const std::vector<Job> jobs{shell("second", note("second"), {1}),
                              shell("first", "sleep 0.3; " + note("first")),
                              shell("third", note("third"), {0, 1})};
  EXPECT_EQ(states_of(jobs, 3), (std::vector{kDone, kDone, kDone}));
  EXPECT_EQ(text_of(order), "first\nsecond\nthird\n");
}

TEST(Launcher, WhatWaitsForAFailedJobFailsUnstartedAndItsLogSaysSo) {
  const std::vector<Job> jobs{shell("last", "echo ran", {1}), shell("middle", "echo ran", {2}),
                              shell("trunk", "exit 1"), shell("other", "echo ran")};
  EXPECT_EQ(states_of(jobs, 2), (std::vector{kFailed, kFailed, kFailed, kDone}));
  EXPECT_EQ(text_of(jobs[1].log), "not started: it waits for trunk, which failed\n");
  EXPECT_EQ(text_of(jobs[0].log), "not started: it waits for middle, which failed\n");
}

TEST(Launcher, TheLogOfWhatWasNotStartedNeedsNoFolder) {
  const testing::TemporaryFolder folder;
  std::vector<Job> jobs{shell("trunk", "exit 1"), shell("branch", "echo ran", {0})};
  jobs[1].log = folder / "branch" / "log.txt";
  EXPECT_EQ(states_of(jobs), (std::vector{kFailed, kFailed}));
  EXPECT_EQ(text_of(jobs[1].log), "not started: it waits for trunk, which failed\n");
}

TEST(Launcher, JobsThatWaitForEachOtherOrForNobodyAreAnError) {
  GCG_EXPECT_ERROR((void)states_of({shell("a", "true", {1}), shell("b", "true", {0})}),
                   HasSubstr("wait for each other"));
  GCG_EXPECT_ERROR((void)states_of({shell("a", "true", {7})}), HasSubstr("not there"));
}

TEST(Launcher, NoSecondJobWithoutMemoryForIt) {
  std::vector<Job> jobs{shell("large1", "sleep 0.3"), shell("large2", "sleep 0.3"),
                        shell("large3", "sleep 0.3")};
  for (Job& job : jobs) {
    job.memory_bytes = 1LL << 30;
  }
  std::int64_t most = 0;
  const auto count = [&](const Launched& now) {
    most = std::max<std::int64_t>(most, std::ranges::count(now.states, JobState::running));
  };
  // Room for less than one: a job alone is started all the same, so that the study goes on.
  LaunchSettings settings{3, 1, [] { return std::int64_t{1} << 29; }, {}};
  EXPECT_EQ(run_jobs(jobs, settings, count).states, (std::vector{kDone, kDone, kDone}));
  EXPECT_EQ(most, 1);
  settings.available_memory = [] { return std::int64_t{1} << 40; };
  run_jobs(jobs, settings, count);
  EXPECT_EQ(most, 3);
}

TEST(Launcher, RoomForAJobIsWhatItAndThoseUnderWayMayStillTake) {
  EXPECT_TRUE(room_for_job(kGiB, kGiB, {}));
  EXPECT_FALSE(room_for_job(kGiB - 1, kGiB, {}));
  // One that holds 1 of its 3 GiB may still take 2.
  EXPECT_TRUE(room_for_job(3 * kGiB, kGiB, {{kGiB, 3 * kGiB}}));
  EXPECT_FALSE(room_for_job(3 * kGiB - 1, kGiB, {{kGiB, 3 * kGiB}}));
  // Unknown: as much as the largest.
  EXPECT_TRUE(room_for_job(3 * kGiB, 0, {{3 * kGiB, 3 * kGiB}}));
  EXPECT_FALSE(room_for_job(3 * kGiB - 1, 0, {{3 * kGiB, 3 * kGiB}}));
  // One that has only just begun is not taken for small.
  EXPECT_FALSE(room_for_job(2 * kLeastJobMemory - 2, 0, {{1, 1}}));
  // Mapped data count once, not for every process.
  const ProcessMemory mapping{kGiB, kGiB, 5 * kGiB};
  EXPECT_TRUE(room_for_job(6 * kGiB, kGiB, {mapping, mapping, mapping}));
  EXPECT_FALSE(room_for_job(6 * kGiB - 1, kGiB, {mapping, mapping, mapping}));
}

TEST(Launcher, TheSystemSaysHowMuchMemoryThereIs) { EXPECT_GT(available_memory_bytes(), 1 << 20); }

TEST(Launcher, InAControlGroupItsRoomCountsAndNotTheMachines) {
  const testing::TemporaryFolder root;
  const auto write = [&](const std::filesystem::path& path, const std::string& text) {
    std::filesystem::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text;
  };
  write("proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n");
  EXPECT_EQ(available_memory_bytes(root.path()), 8 * kGiB);
  write("proc/self/cgroup", "0::/\n");
  write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n");
  write("sys/fs/cgroup/memory.max", std::to_string(120 << 20));
  write("sys/fs/cgroup/memory.current", std::to_string(30 << 20));
  write("sys/fs/cgroup/memory.stat", "anon 31457280\ninactive_file 0\nactive_file 0\n");
  EXPECT_EQ(available_memory_bytes(root.path()), 90 << 20);
  // One run has started and may yet take as much again: a second one does not fit beside it.
  EXPECT_FALSE(room_for_job(available_memory_bytes(root.path()), 80 << 20, {{30 << 20, 80 << 20}}));
}

/// A process that launches one job and says by its exit status which signal ended the launch.
pid_t launcher_of(const std::vector<Job>& jobs) {
  const pid_t launcher = ::fork();
  if (launcher == 0) {
    const Launched launched = run_jobs(jobs, {1}, [](const auto&) {});
    ::_exit(launched.states.front() == JobState::waiting ? launched.signal : 100);
  }
  while (text_of(jobs.front().log) != "started\n") {
    ::usleep(10000);
  }
  return launcher;
}

TEST(Launcher, JobsEndWithTheLauncher) {
  const std::vector<Job> jobs{shell("orphan", "echo started; exec sleep 61.4375")};
  const pid_t launcher = launcher_of(jobs);
  ASSERT_GE(launcher, 0);
  ::kill(launcher, SIGKILL);
  ::waitpid(launcher, nullptr, 0);
  ::usleep(200000);
  EXPECT_NE(std::system("pgrep -f '^sleep 61.4375$' > /dev/null"), 0);
}

TEST(Launcher, ASignalEndsTheJobsAndTellsWhichItWas) {
  for (const int signal : kEndingSignals) {
    SCOPED_TRACE(signal);
    const std::vector<Job> jobs{shell("stopped", "echo started; exec sleep 62.4375")};
    const pid_t launcher = launcher_of(jobs);
    ASSERT_GE(launcher, 0);
    ::kill(launcher, signal);
    int status = 0;
    ASSERT_EQ(::waitpid(launcher, &status, 0), launcher);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), signal);
    EXPECT_NE(std::system("pgrep -f '^sleep 62.4375$' > /dev/null"), 0);
  }
}

TEST(Launcher, JobsThemselvesHearSignals) {
  // The launcher's mask of signals is not theirs.
  EXPECT_EQ(states_of({shell("self", "kill -TERM $$; sleep 5; exit 0")}), std::vector{kFailed});
}

TEST(Launcher, ASignalIsPassedOnAndJobsHaveTimeToSave) {
  const testing::TemporaryFolder folder;
  const std::string saved = (folder / "saved").string();
  const std::vector<Job> jobs{
      shell("saver", "trap 'sleep 1; echo saved > " + saved +
                         "; exit 75' TERM; echo started; while true; do sleep 0.05; done")};
  const pid_t launcher = launcher_of(jobs);
  ASSERT_GE(launcher, 0);
  ::kill(launcher, SIGUSR1);
  int status = 0;
  ASSERT_EQ(::waitpid(launcher, &status, 0), launcher);
  EXPECT_EQ(WEXITSTATUS(status), SIGUSR1);
  EXPECT_EQ(text_of(saved), "saved\n");
}

TEST(Launcher, AJobThatAnotherProcessWasFasterAtIsNoFailure) {
  const testing::TemporaryFolder folder;
  const std::string done = (folder / "done").string();
  const std::vector<Job> jobs{shell("busy", "touch " + done + "; exit 75"), shell("other", "true")};
  LaunchSettings settings;
  settings.look = [&](std::size_t j) {
    return j == 0 && std::filesystem::exists(done) ? JobFound::done : JobFound::open;
  };
  EXPECT_EQ(run_jobs(jobs, settings, [](const auto&) {}).states, (std::vector{kDone, kDone}));
}

TEST(Launcher, ItsTimeEndsJobsAndNoneIsStartedShortlyBefore) {
  const std::vector<Job> jobs{shell("long", "exec sleep 63.4375"), shell("next", "true")};
  LaunchSettings settings;
  settings.seconds = 12;  // the second could start in the first 2
  const Launched launched = run_jobs(jobs, settings, [](const auto&) {});
  EXPECT_TRUE(launched.out_of_time);
  EXPECT_EQ(launched.signal, 0);
  EXPECT_EQ(launched.states, (std::vector{JobState::waiting, JobState::waiting}));
  EXPECT_NE(std::system("pgrep -f '^sleep 63.4375$' > /dev/null"), 0);
  settings.seconds = 1;
  EXPECT_TRUE(run_jobs({jobs[1]}, settings, [](const auto&) {}).out_of_time);
}

TEST(Launcher, NoJobsEndAtOnce) { EXPECT_TRUE(states_of({}).empty()); }

}  // namespace
}  // namespace gcg
