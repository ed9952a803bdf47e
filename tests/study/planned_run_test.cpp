#include "study/planned_run.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "base/temporary_folder.h"
#include "base/throws.h"
#include "study/watch.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::TemporaryFolder;

ExperimentRun run_of(const std::string& curve, std::uint64_t seed, const std::string& trunk = {}) {
  return {curve, {}, seed, trunk};
}

TEST(TrunkRuns, AreThoseOfTheSameSeed) {
  const auto trunks = trunk_runs({run_of("branch", 2, "trunk"), run_of("trunk", 1),
                                  run_of("trunk", 2), run_of("branch", 1, "trunk")});
  EXPECT_THAT(trunks, ::testing::ElementsAre(2, std::nullopt, std::nullopt, 1));
}

TEST(TrunkRuns, MayBeBranchesThemselves) {
  const auto trunks =
      trunk_runs({run_of("leaf", 1, "branch"), run_of("branch", 1, "trunk"), run_of("trunk", 1)});
  EXPECT_THAT(trunks, ::testing::ElementsAre(1, 2, std::nullopt));
}

TEST(TrunkRuns, ThatAreMissingOrStartFromEachOtherAreErrors) {
  GCG_EXPECT_ERROR((void)trunk_runs({run_of("branch", 2, "trunk"), run_of("trunk", 1)}),
                   HasSubstr("no run of seed 2"));
  GCG_EXPECT_ERROR((void)trunk_runs({run_of("a", 1, "b"), run_of("b", 1, "a")}),
                   HasSubstr("start from each other"));
}

std::vector<ExperimentRun> two_curves(const ExperimentRequest& request) {
  std::vector<ExperimentRun> runs;
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    for (const char* epochs : {"1", "2"}) {
      runs.push_back({fmt::format("{} epochs", epochs),
                      {{"method", "dense"}, {"epochs", epochs}, {"width", "4"}},
                      seed});
    }
  }
  (void)request;
  return runs;
}

constexpr Experiment kTwoCurves{"two_curves", "for tests", two_curves, "procedural"};

StudySettings settings_for(const TemporaryFolder& folder) {
  StudySettings settings;
  settings.request = {"smoke", 0, "procedural"};
  settings.out = folder.path().string();
  return settings;
}

/// A run's folder with a log.
void leave_log(const PlannedRun& run, const std::string& text) {
  std::filesystem::create_directories(run.plan->folder());
  std::ofstream(run.log()) << text;
}

TEST(PlannedRuns, SayWhatIsOnDisk) {
  const TemporaryFolder folder;
  const auto planned = plan_runs(kTwoCurves, settings_for(folder));
  ASSERT_EQ(planned.size(), 4U);
  const PlannedRun& run = planned.front();
  EXPECT_EQ(run.disk.state, DiskState::nothing);
  EXPECT_EQ(planned[1].planned_epochs, 2);

  leave_log(run, "dense 0  epoch 1/1\n");
  EXPECT_EQ(look_at_disk(*run.plan).state, DiskState::stopped);
  {
    const FolderLock lock(run.plan->folder());
    EXPECT_EQ(look_at_disk(*run.plan).state, DiskState::running);
  }
  leave_log(run, "epoch 1\ngcg_run: data_batch_1.bin: is short\n  remedy: fetch it again\n");
  EXPECT_EQ(look_at_disk(*run.plan).state, DiskState::failed);
  EXPECT_EQ(look_at_disk(*run.plan).note, "gcg_run: data_batch_1.bin: is short");
  // What was tried again since then, and killed, has not failed.
  leave_log(run, "gcg_run: data_batch_1.bin: is short\n  remedy: fetch\nepoch 1\nepoch 2\n");
  EXPECT_EQ(look_at_disk(*run.plan).state, DiskState::stopped);
  std::ofstream(run.file()) << "no run file";
  EXPECT_EQ(look_at_disk(*run.plan).state, DiskState::damaged);
}

TEST(PlannedRuns, AreSelectedByTheTextTheirCurveContains) {
  const TemporaryFolder folder;
  StudySettings settings = settings_for(folder);
  settings.only = "2 ep";
  const auto planned = plan_runs(kTwoCurves, settings);
  EXPECT_FALSE(planned[0].selected);
  EXPECT_TRUE(planned[1].selected);
  settings.only = "three";
  EXPECT_THROW((void)plan_runs(kTwoCurves, settings), UsageError);
}

TEST(PlannedRuns, RefuseDataTheExperimentHasNoSizesFor) {
  const TemporaryFolder folder;
  StudySettings settings = settings_for(folder);
  settings.request.data = "imagenet";
  GCG_EXPECT_ERROR((void)plan_runs(kTwoCurves, settings), HasSubstr("has no sizes for imagenet"));
}

TEST(ShellLine, QuotesWhatAShellWouldTakeApart) {
  EXPECT_EQ(shell_line({"/bin/x", "--a=1,2", "two words", "it's", ""}),
            R"(/bin/x --a=1,2 'two words' 'it'\''s' '')");
}

TEST(WatchPage, ShowsWhatNeedsLookingAtFirst) {
  const TemporaryFolder folder;
  auto planned = plan_runs(kTwoCurves, settings_for(folder));
  planned[0].disk.state = DiskState::finished;
  planned[0].disk.epochs = 1;
  planned[1].disk.state = DiskState::failed;
  leave_log(planned[1], "gcg_run: the loss is nan\n");
  planned[3].disk = {.state = DiskState::running, .epochs = 1, .accuracy = 0.5, .seconds = 60};
  const std::string page = watch_page(kTwoCurves, planned, 0);
  EXPECT_THAT(page, HasSubstr("4 runs, 1 finished, 1 running, 1 failed"));
  EXPECT_THAT(page, HasSubstr("1/2"));
  EXPECT_THAT(page, HasSubstr("50.00 %"));
  EXPECT_THAT(page, HasSubstr("1 min 00 s"));
  EXPECT_THAT(page, HasSubstr((planned[1].log()).string()));
  EXPECT_THAT(page, HasSubstr("gcg_run: the loss is nan"));
  const auto line_of = [&](const std::string& word) { return page.find(" " + word + " "); };
  EXPECT_LT(page.find("running", page.find('\n')), page.find("failed", page.find('\n')));
  EXPECT_LT(page.find("failed", page.find('\n')), line_of("finished "));
  // No longer than the screen.
  const std::string cut = watch_page(kTwoCurves, planned, 5);
  EXPECT_EQ(std::count(cut.begin(), cut.end(), '\n'), 5);
  EXPECT_THAT(cut, HasSubstr("lines more"));
}

TEST(StudyNetwork, FollowsTheDataAndTheScale) {
  const auto options = [](const std::string& scale, const std::string& data) {
    return study_network({scale, 0, data}).options();
  };
  EXPECT_EQ(options("small", "cifar10"), (GivenOptions{{"network", "resnet8"}, {"width", "8"}}));
  EXPECT_EQ(options("full", "cifar10"), (GivenOptions{{"network", "resnet20"}, {"width", "16"}}));
  EXPECT_EQ(options("full", "tinyimagenet").at("network"), "resnet18_small");
  EXPECT_EQ(options("full", "imagenet").at("batch-size"), "256");
  for (const char* data : {"cifar10", "tinyimagenet", "imagenet"}) {
    for (const char* scale : {"smoke", "small", "full"}) {
      SCOPED_TRACE(fmt::format("{} {}", data, scale));
      GivenOptions given = options(scale, data);
      given["data"] = data;
      given["method"] = "dense";
      EXPECT_NO_THROW((void)make_run_plan(given));
    }
  }
}

}  // namespace
}  // namespace gcg
