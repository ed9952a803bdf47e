// Which GPUs a launch has and which of them a run gets. nvidia-smi is a script here.
#include "study/gpus.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "base/throws.h"
#include "base/variable.h"
#include "study/launcher.h"

namespace gcg {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using testing::Variable;

constexpr std::int64_t kGiB = 1LL << 30;

/// A machine whose nvidia-smi prints a file, or that has none.
class Gpus : public ::testing::Test {
 protected:
  /// The lines that nvidia-smi prints, and its exit status.
  void answer(const std::string& lines, int status = 0) {
    std::ofstream(folder / "answer") << lines;
    const fs::path program = folder / "nvidia-smi";
    std::ofstream(program) << fmt::format(
        "#!/bin/sh\n"
        "[ \"$*\" = '--query-gpu=index,uuid,memory.free --format=csv,noheader,nounits' ] || exit "
        "9\n"
        "cat {}/answer\nexit {}\n",
        folder.path().string(), status);
    fs::permissions(program, fs::perms::owner_all);
  }

  testing::TemporaryFolder folder;
  Variable path{"PATH", folder.path().string() + ":/usr/bin:/bin"};
  Variable visible{"CUDA_VISIBLE_DEVICES", std::nullopt};
  Variable order{"CUDA_DEVICE_ORDER", std::nullopt};
};

TEST_F(Gpus, AreThoseThatTheEnvironmentShows) {
  answer("0, GPU-a, 100\n");
  const Variable shown("CUDA_VISIBLE_DEVICES", "2, GPU-b,5");
  EXPECT_THAT(visible_gpus(), ElementsAre("2", "GPU-b", "5"));
  // As CUDA reads it: none, and those before a name that is none.
  for (const char* none : {"", "-1", "NoDevFiles"}) {
    const Variable hidden("CUDA_VISIBLE_DEVICES", none);
    EXPECT_THAT(visible_gpus(), IsEmpty()) << none;
  }
  const Variable cut("CUDA_VISIBLE_DEVICES", "1,-1,2");
  EXPECT_THAT(visible_gpus(), ElementsAre("1"));
}

TEST_F(Gpus, AreThoseOfNvidiaSmiElse) {
  answer("0, GPU-a, 80000\n1, GPU-b, 40000\n2, GPU-c, [N/A]\n");
  EXPECT_THAT(visible_gpus(), ElementsAre("0", "1", "2"));
  EXPECT_THAT(free_gpu_memory(),
              UnorderedElementsAre(Pair("0", 80000LL << 20), Pair("GPU-a", 80000LL << 20),
                                   Pair("1", 40000LL << 20), Pair("GPU-b", 40000LL << 20)));
}

TEST_F(Gpus, WithoutNvidiaSmiTheDriverSaysHowManyThereAre) {
  fs::create_directories(folder / "gpus/0000:01:00.0");
  fs::create_directories(folder / "gpus/0000:41:00.0");
  for (const bool fails : {false, true}) {
    if (fails) {
      answer("NVIDIA-SMI has failed, because a, b, 3\n", 9);
    }
    EXPECT_THAT(visible_gpus(folder / "gpus"), ElementsAre("0", "1"));
    EXPECT_THAT(visible_gpus(folder / "none"), IsEmpty());
    EXPECT_THAT(free_gpu_memory(), IsEmpty());
  }
}

TEST(ChosenGpus, AreANumberOfThemOrAList) {
  const std::vector<std::string> visible{"2", "3", "GPU-x"};
  EXPECT_EQ(chosen_gpus(visible, ""), visible);
  EXPECT_THAT(chosen_gpus(visible, "2"), ElementsAre("2", "3"));
  EXPECT_THAT(chosen_gpus(visible, "2,"), ElementsAre("2"));
  EXPECT_THAT(chosen_gpus(visible, "GPU-x"), ElementsAre("GPU-x"));
  EXPECT_THAT(chosen_gpus(visible, "GPU-x, 3"), ElementsAre("GPU-x", "3"));
}

TEST(ChosenGpus, ThoseThatAreNotThereAreUsageErrors) {
  const std::vector<std::string> visible{"2", "3"};
  GCG_EXPECT_ERROR((void)chosen_gpus(visible, "3"),
                   HasSubstr("asks for 3 GPUs; those seen here: 2, 3"));
  GCG_EXPECT_ERROR((void)chosen_gpus(visible, "0"), HasSubstr("asks for 0 GPUs"));
  GCG_EXPECT_ERROR((void)chosen_gpus(visible, "2,7"), HasSubstr("'7' is no GPU"));
  GCG_EXPECT_ERROR((void)chosen_gpus(visible, "2,2"), HasSubstr("names '2' twice"));
  GCG_EXPECT_ERROR((void)chosen_gpus({}, "1"), HasSubstr("no GPU is seen here"));
}

TEST(Mps, IsThereWhereItsDaemonListens) {
  const testing::TemporaryFolder folder;
  const Variable pipes("CUDA_MPS_PIPE_DIRECTORY", folder.path().string());
  EXPECT_FALSE(has_mps());
  std::ofstream(folder / "control");
  EXPECT_TRUE(has_mps());
}

/// Two GPUs with a clock and memory that the test sets.
struct Desk {
  double now = 100;
  FreeGpuMemory free{{"a", 40 * kGiB}, {"b", 40 * kGiB}};
  int looks = 0;
  GpuPlaces places;

  explicit Desk(std::int64_t runs_each)
      : places({{"a", "b"},
                runs_each,
                [this] {
                  ++looks;
                  return free;
                },
                30},
               [this] { return now; }) {}

  /// The name of the GPU that a run is started on.
  std::string start() {
    const std::optional<std::size_t> gpu = places.find();
    if (!gpu) {
      return "none";
    }
    places.start(*gpu);
    return places.name(*gpu);
  }
};

TEST(GpuPlaces, ARunForEveryGpuAndNoMore) {
  Desk desk(1);
  desk.free["b"] += kGiB;
  EXPECT_EQ(desk.start(), "b");  // has more room
  EXPECT_EQ(desk.start(), "a");
  EXPECT_EQ(desk.start(), "none");
  desk.places.end(1);
  EXPECT_EQ(desk.start(), "b");
}

TEST(GpuPlaces, ASecondRunWaitsUntilTheFirstHasTakenItsMemoryAndFitsBesideIt) {
  Desk desk(3);
  EXPECT_EQ(desk.start(), "a");
  EXPECT_EQ(desk.start(), "b");
  desk.now += 29;
  EXPECT_EQ(desk.start(), "none");
  desk.now += 6;
  desk.free = {{"a", 24 * kGiB}, {"b", 24 * kGiB}};  // 16 GiB each
  EXPECT_EQ(desk.start(), "a");                      // 20 GiB are wanted
  EXPECT_EQ(desk.start(), "b");
  desk.now += 35;
  desk.free = {{"a", 8 * kGiB}, {"b", 8 * kGiB}};
  EXPECT_EQ(desk.start(), "none");  // a place, but no room
  desk.places.end(0);
  desk.free["a"] = 24 * kGiB;
  EXPECT_EQ(desk.start(), "a");
}

TEST(GpuPlaces, TheLargestRunCountsAndNothingThatIsTakenAfterItsStart) {
  Desk desk(3);
  EXPECT_EQ(desk.start(), "a");
  EXPECT_EQ(desk.start(), "b");
  desk.now += 31;
  desk.free = {{"a", 36 * kGiB}, {"b", 36 * kGiB}};  // 4 GiB each
  EXPECT_EQ(desk.start(), "a");
  desk.now += 31;
  desk.free["a"] = 19 * kGiB;  // the second run there has taken 17: 21.25 are wanted
  EXPECT_EQ(desk.start(), "b");
  EXPECT_EQ(desk.start(), "none");
  desk.now += 31;
  desk.free = {{"a", 22 * kGiB}, {"b", 32 * kGiB}};
  EXPECT_EQ(desk.start(), "b");
  desk.now += 31;
  desk.free["b"] = 28 * kGiB;
  desk.places.look();
  desk.now += 31;
  desk.free["b"] = 1 * kGiB;  // not of a run that has just started
  EXPECT_EQ(desk.start(), "a");
}

TEST(GpuPlaces, AGpuThatOthersHaveFilledIsLeftOutAsLongAsAnotherRuns) {
  Desk desk(1);
  EXPECT_EQ(desk.start(), "a");
  desk.now += 10;
  desk.free = {{"a", 20 * kGiB}, {"b", 5 * kGiB}};  // a run takes 20 GiB; 35 are somebody's
  EXPECT_EQ(desk.start(), "none");
  desk.places.end(0);
  desk.free["a"] = 4 * kGiB;
  EXPECT_EQ(desk.start(), "b");  // nothing is under way: the one with more room
}

TEST(GpuPlaces, WhatIsNotKnownIsNotWatched) {
  Desk desk(2);
  desk.free.clear();
  EXPECT_EQ(desk.start(), "a");
  EXPECT_EQ(desk.start(), "b");
  EXPECT_EQ(desk.start(), "none");  // the first ones are still at their start
  desk.now += 31;
  EXPECT_EQ(desk.start(), "a");
}

TEST(GpuPlaces, LooksNowAndThenAndWhenARunHasEnded) {
  Desk desk(1);
  for (int i = 0; i < 5; ++i) {
    desk.places.look();
    desk.now += 1;
  }
  EXPECT_EQ(desk.looks, 1);
  desk.places.look();
  EXPECT_EQ(desk.looks, 2);
  EXPECT_EQ(desk.start(), "a");
  desk.places.end(0);
  desk.places.look();
  EXPECT_EQ(desk.looks, 3);
}

/// A job that says what it sees of GPUs, for half a second.
Job seer(const fs::path& folder, int number, bool gpu) {
  Job job;
  job.name = fmt::format("job{}", number);
  job.command = {"/bin/sh", "-c",
                 "echo $CUDA_VISIBLE_DEVICES $CUDA_DEVICE_ORDER $GCG_CORES; sleep 0.5"};
  job.log = folder / job.name;
  job.gpu = gpu;
  return job;
}

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(Gpus, EachRunOfALaunchSeesItsOwn) {
  answer("0, GPU-a, 80000\n1, GPU-b, 70000\n");
  const Variable cores("GCG_CORES", std::nullopt);
  std::vector<Job> jobs;
  for (int j = 0; j < 3; ++j) {
    jobs.push_back(seer(folder.path(), j, j < 2));
  }
  LaunchSettings settings;
  settings.parallel = 3;
  settings.gpus.names = visible_gpus();
  run_jobs(jobs, settings, [](const auto&) {});
  EXPECT_EQ(text_of(jobs[0].log), "0 PCI_BUS_ID 1\n");
  EXPECT_EQ(text_of(jobs[1].log), "1 PCI_BUS_ID 1\n");
  EXPECT_EQ(text_of(jobs[2].log), "1\n");  // wants none
}

TEST_F(Gpus, NoSecondRunOnAGpuBeforeTheFirstHasItsMemoryOrWithoutRoom) {
  answer("0, GPU-a, 10000\n");
  const Variable cores("GCG_CORES", std::nullopt);
  std::vector<Job> jobs;
  for (int j = 0; j < 3; ++j) {
    jobs.push_back(seer(folder.path(), j, true));
    jobs.back().command.back() = "exec sleep 1";
  }
  std::int64_t most = 0;
  const auto count = [&](const Launched& now) {
    most = std::max<std::int64_t>(most, std::ranges::count(now.states, JobState::running));
  };
  LaunchSettings settings;
  settings.parallel = 3;
  settings.gpus.names = visible_gpus();
  settings.gpus.runs_each = 3;
  run_jobs(jobs, settings, count);
  EXPECT_EQ(most, 1);  // they end before they count as settled
  settings.gpus.settle_seconds = 0;
  run_jobs(jobs, settings, count);
  EXPECT_EQ(most, 3);
}

TEST_F(Gpus, AJobThatWantsOneWhereThereIsNoneIsAnError) {
  const std::vector<Job> jobs{seer(folder.path(), 0, true)};
  GCG_EXPECT_ERROR((void)run_jobs(jobs, {}, [](const auto&) {}), HasSubstr("no GPU is seen here"));
}

}  // namespace
}  // namespace gcg
