#include "study/planned_run.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/folder_lock.h"
#include "base/temporary_folder.h"
#include "base/throws.h"
#include "study/process.h"
#include "study/study_file.h"
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

const Experiment kTwoCurves{"two_curves", "for tests", {two_curves}, {}};

StudySettings settings_for(const TemporaryFolder& folder) {
  StudySettings settings;
  settings.request.scale.name = "smoke";
  settings.request.scale.is_shipped = true;
  settings.request.data = "procedural";
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

/// For what only root may do.
bool is_root() { return ::geteuid() == 0; }

TEST(PlannedRuns, AFolderThatCannotBeLookedAtIsThatOfAFailedRunAndNoReasonToStop) {
  const TemporaryFolder folder;
  const auto before = plan_runs(kTwoCurves, settings_for(folder));
  std::ofstream(before[0].plan->folder()) << "no folder";
  std::filesystem::create_directories(before[1].plan->folder());
  { const FolderLock lock(before[1].plan->folder()); }
  std::filesystem::create_symlink("/nowhere", before[1].plan->folder() / ".lease.1");
  leave_log(before[1], "gcg_run: an older reason\n");
  std::filesystem::create_directories(before[2].plan->folder());
  std::filesystem::permissions(before[2].plan->folder(), std::filesystem::perms::none);

  const auto planned = plan_runs(kTwoCurves, settings_for(folder));
  std::filesystem::permissions(before[2].plan->folder(), std::filesystem::perms::owner_all);
  for (const auto& [at, reason] :
       {std::pair{0, "is not a folder"}, {1, ".lease.1: cannot read"}, {2, "ermission denied"}}) {
    if (at == 2 && is_root()) {
      continue;
    }
    const PlannedRun& run = planned[static_cast<std::size_t>(at)];
    EXPECT_EQ(run.disk.state, DiskState::failed);
    EXPECT_TRUE(run.disk.unusable);
    EXPECT_THAT(run.disk.note, HasSubstr(reason));
    EXPECT_THAT(why_failed(run), HasSubstr(reason));
    EXPECT_EQ(why_failed(run).find('\n'), std::string::npos);
    EXPECT_THAT(watch_page(kTwoCurves, planned, 0), HasSubstr(reason));
  }
  EXPECT_EQ(planned[3].disk.state, DiskState::nothing);
  EXPECT_TRUE(read_disk(*planned[0].plan).unusable);
}

TEST(PlannedRuns, AnOldRunThatCannotBeLookedAtIsPassedOver) {
  if (is_root()) {
    GTEST_SKIP() << "root may look everywhere";
  }
  const TemporaryFolder folder;
  const StudySettings settings = settings_for(folder);
  const auto planned = plan_runs(kTwoCurves, settings);
  std::ofstream(study_file(kTwoCurves, settings)) << R"({"runs": [{"name": "old"}]})";
  std::filesystem::create_directory(folder / "old");
  std::filesystem::permissions(folder / "old", std::filesystem::perms::none);
  EXPECT_EQ(outdated_runs(kTwoCurves, settings, planned), std::vector<std::string>());
  std::filesystem::permissions(folder / "old", std::filesystem::perms::owner_all);
}

TEST(PlannedRuns, SayWhyTheyFailedByTheirLogOrElseByTheirRunFile) {
  const TemporaryFolder folder;
  auto planned = plan_runs(kTwoCurves, settings_for(folder));
  PlannedRun& run = planned.front();
  run.disk = {.state = DiskState::failed, .note = "stage 1: nan\n  remedy: this"};
  EXPECT_EQ(why_failed(run), "stage 1: nan");
  leave_log(run, "epoch 1\n");  // and then the disk was full
  EXPECT_EQ(why_failed(run), "stage 1: nan");
  leave_log(run, "epoch 1\n\nended by signal 9 (Killed)\n");
  EXPECT_EQ(why_failed(run), "ended by signal 9 (Killed)");
  leave_log(run, "epoch 1\ngcg_run: nan\n  remedy: this\n");
  EXPECT_EQ(why_failed(run), "gcg_run: nan");
  run.disk.note.clear();
  leave_log(run, "epoch 1\n");
  EXPECT_EQ(why_failed(run), "epoch 1");
}

TEST(LastWords, AreThoseOfAMessageWithAllItsRemedies) {
  const TemporaryFolder folder;
  const auto words = [&](const std::string& text) {
    std::ofstream(folder / "log.txt") << text;
    return last_words(folder / "log.txt");
  };
  EXPECT_EQ(words("epoch 1\ngcg_run: nan\n  remedy: this\n  follows\n  remedy: that\n"),
            "gcg_run: nan");
  EXPECT_EQ(words("gcg_run: nan\n  remedy: this\nepoch 2\n  3\n"), "  3");
  EXPECT_EQ(words(""), "");
}

TEST(PlannedRuns, AStudyFileOfAnyContentNamesNoRunsAndIsWrittenAnew) {
  const TemporaryFolder folder;
  const StudySettings settings = settings_for(folder);
  const auto planned = plan_runs(kTwoCurves, settings);
  write_study_file(kTwoCurves, settings, planned);
  const std::filesystem::path path = study_file(kTwoCurves, settings);
  const auto content = read_file(path);
  for (
      const std::string text :
      {"", "{", "[]", "{\"runs\": 3}", "{\"runs\": [3, null, {}, {\"name\": 7}]}",
       R"({"data": 3, "runs": [{"curve": "1 epochs", "seed": 9, "name": "x", "options": [1]}]})"}) {
    std::ofstream(path) << text;
    EXPECT_EQ(outdated_runs(kTwoCurves, settings, planned), std::vector<std::string>()) << text;
    write_study_file(kTwoCurves, settings, planned);
    EXPECT_EQ(read_file(path), content);
  }
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
  // A scale of the user's own is taken to have them.
  settings.request.scale.is_shipped = false;
  EXPECT_EQ(plan_runs(kTwoCurves, settings).size(), 4U);
}

TEST(PlannedRuns, ANumberThatTheScaleMakesImpossibleNamesTheRun) {
  const TemporaryFolder folder;
  const auto impossible = [](const ExperimentRequest&) {
    return std::vector<ExperimentRun>{
        {"IMP: density 0.01", {{"method", "dense"}, {"epochs", "-2"}}, 3}};
  };
  GCG_EXPECT_ERROR(
      (void)plan_runs({"one", "for tests", {impossible}, {}}, settings_for(folder)),
      HasSubstr("IMP: density 0.01, seed 3: by the scale's settings it has --epochs: '-2'"));
}

TEST(PlannedRuns, OfOneCurveAndSeedAreRefused) {
  const TemporaryFolder folder;
  const auto twice = [](const ExperimentRequest& request) {
    std::vector<ExperimentRun> runs = two_curves(request);
    runs.push_back(runs.front());
    return runs;
  };
  GCG_EXPECT_ERROR((void)plan_runs({"twice", "for tests", {twice}, {}}, settings_for(folder)),
                   HasSubstr("two runs of seed 1 are called '1 epochs'"));
}

TEST(StudyFile, SaysWhatEveryRunIs) {
  const TemporaryFolder folder;
  const auto runs = [](const ExperimentRequest&) {
    return std::vector<ExperimentRun>{
        {"erk: 0.1", {{"method", "dense"}}, 7, {}, {"mask", "erk", {{"density", 0.1}}, "x"}}};
  };
  const Experiment experiment{"one", "for tests", {runs}, {}};
  const StudySettings settings = settings_for(folder);
  const auto planned = plan_runs(experiment, settings);
  const auto study = nlohmann::json::parse(study_text(experiment, settings, planned));
  EXPECT_EQ(study.at("version"), kStudyVersion);
  EXPECT_EQ(study.at("scale"), "smoke");
  const nlohmann::json& run = study.at("runs").at(0);
  EXPECT_EQ(run.at("curve"), "erk: 0.1");
  EXPECT_EQ(run.at("role"), "mask");
  EXPECT_EQ(run.at("family"), "erk");
  EXPECT_EQ(run.at("values"), nlohmann::json({{"density", 0.1}}));
  EXPECT_EQ(run.at("of"), "x");
  EXPECT_EQ(run.at("seed"), 7);
  EXPECT_EQ(run.at("execution"), "sparse");
  EXPECT_EQ(run.at("options").at("method"), "dense");
  EXPECT_EQ(run.at("name"), planned.front().plan->identity.name);
}

TEST(StudyFile, HoldsTheWholeCommandOfAFolderWhoseNameIsNotUtf8) {
  const TemporaryFolder folder;
  StudySettings settings = settings_for(folder);
  settings.out = (folder / "\xff\xe9").string();
  const auto planned = plan_runs(kTwoCurves, settings);
  const auto study = nlohmann::json::parse(study_text(kTwoCurves, settings, planned));
  EXPECT_THAT(study.at("runs").at(0).at("command").get<std::string>(),
              HasSubstr(R"x(/\0377\0351')")x"));
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

TEST(WatchPage, AQueueThatCannotBeAskedLaterIsSaidAndNoEnd) {
  const auto fails = []() -> std::vector<QueuedTask> { throw Error("squeue", "ended with 1"); };
  GCG_EXPECT_ERROR(asked_queue(fails, true), HasSubstr("squeue: ended with 1"));
  const QueueText later = asked_queue(fails, false);
  EXPECT_FALSE(later.known);
  EXPECT_THAT(later.text, AllOf(HasSubstr("cannot be asked now"), HasSubstr("ended with 1")));
  const QueueText empty = asked_queue([] { return std::vector<QueuedTask>(); }, false);
  EXPECT_TRUE(empty.known);
  EXPECT_EQ(empty.text, "");
}

}  // namespace
}  // namespace gcg
