// What every experiment can do, on the runs of growth_rules with images in the CIFAR-10 format.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <thread>
#include <utility>

#include "base/file.h"
#include "base/folder_lock.h"
#include "base/shell.h"
#include "base/temporary_folder.h"
#include "data/cifar_file.h"
#include "data/procedural.h"
#include "graph/networks.h"
#include "record/run_file.h"
#include "run/same_run.h"
#include "study/run_plan.h"

namespace gcg {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Outcome;
using testing::shell;
using testing::TemporaryFolder;

/// A data folder, a runs folder, and the two runs "path, sampled" and "path, greedy".
class Study : public ::testing::Test {
 protected:
  void SetUp() override {
    ProceduralOptions options;
    options.train_images = 250;
    options.test_images = 50;
    const DataSet data = make_procedural(options);
    test::write_cifar10_file(folder.path() / "data_batch_1.bin", data.train);
    test::write_cifar10_file(folder.path() / "test_batch.bin", data.test);
  }

  [[nodiscard]] std::string command(const std::string& program = GCG_GROWTH_RULES) const {
    return fmt::format("{} --data-dir {} --out {} --only 'path, '", program, folder.path().string(),
                       runs().string());
  }
  [[nodiscard]] fs::path runs() const { return folder / "runs"; }

  /// The run files that are there.
  [[nodiscard]] std::vector<fs::path> files() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(runs())) {
      if (fs::exists(entry.path() / "run.h5")) {
        found.push_back(entry.path() / "run.h5");
      }
    }
    return found;
  }

  TemporaryFolder folder;
};

TEST_F(Study, DryRunEstimatesEveryRunAndTheTotal) {
  const Outcome dry = shell(command() + " --dry-run");
  ASSERT_EQ(dry.status, 0) << dry.output;
  const std::regex estimate("# path, (sampled|greedy), seed 1: -, about [0-9]+ (s|min)");
  EXPECT_EQ(std::distance(std::sregex_iterator(dry.output.begin(), dry.output.end(), estimate), {}),
            2)
      << dry.output;
  EXPECT_THAT(dry.output, HasSubstr("# to do: about"));
  EXPECT_FALSE(fs::exists(runs()));
}

TEST_F(Study, AnEstimateWithoutDataCountsThePublishedSet) {
  const Outcome dry = shell(fmt::format("env -u GCG_DATA {} --out {} --only greedy --dry-run",
                                        GCG_GROWTH_RULES, runs().string()));
  ASSERT_EQ(dry.status, 0) << dry.output;
  EXPECT_THAT(dry.output, HasSubstr("published set of 50000 training images"));
}

TEST_F(Study, ExplainNamesTheRunsBehindACell) {
  const Outcome one = shell(command() + " --explain 'path, greedy' --seeds 2");
  ASSERT_EQ(one.status, 0) << one.output;
  EXPECT_THAT(one.output, HasSubstr("path, greedy, seed 1"));
  EXPECT_THAT(one.output, HasSubstr("path, greedy, seed 2"));
  EXPECT_THAT(one.output, Not(HasSubstr("sampled")));
  EXPECT_THAT(one.output, HasSubstr("gcg_run --"));
  EXPECT_THAT(one.output, HasSubstr("run.h5"));
  EXPECT_THAT(shell(command() + " --explain path").output, HasSubstr("path, sampled, seed 1"));
  EXPECT_EQ(shell(command() + " --explain nonsense").status, 2);
}

TEST_F(Study, VerifyComparesWhatIsThereAndFindsDamage) {
  const Outcome nothing = shell(command() + " --verify");
  EXPECT_EQ(nothing.status, 1) << nothing.output;
  EXPECT_THAT(nothing.output, HasSubstr("runs: there is no such folder"));
  fs::create_directories(runs());
  const Outcome before = shell(command() + " --verify");
  EXPECT_EQ(before.status, 1) << before.output;
  EXPECT_THAT(before.output, HasSubstr("nothing was verified: no run is there"));

  const Outcome first = shell(command());
  ASSERT_EQ(first.status, 0) << first.output;
  const Outcome good = shell(command() + " --verify");
  EXPECT_EQ(good.status, 0) << good.output;
  EXPECT_THAT(good.output, HasSubstr("run files: 2 whole, 0 damaged"));
  EXPECT_THAT(good.output, HasSubstr("6 pass, 0 fail"));

  // A damaged file is told, and made again from its checkpoint.
  ASSERT_EQ(files().size(), 2U);
  fs::resize_file(files().front(), fs::file_size(files().front()) / 2);
  const Outcome bad = shell(command() + " --verify");
  EXPECT_EQ(bad.status, 1) << bad.output;
  EXPECT_THAT(bad.output, HasSubstr("damaged: " + files().front().string()));
  const Outcome again = shell(command());
  EXPECT_EQ(again.status, 0) << again.output;
  EXPECT_THAT(again.output, HasSubstr("2 runs, 1 to do"));
  EXPECT_EQ(shell(command() + " --verify").status, 0);

  // A run of another identity in a run's place is never taken.
  fs::copy_file(files()[0], files()[1], fs::copy_options::overwrite_existing);
  const Outcome strange = shell(command());
  EXPECT_EQ(strange.status, 1);
  EXPECT_THAT(strange.output, HasSubstr("is the work of another version of the program"));
}

TEST_F(Study, RunsOfOlderDefaultsAreToldAndNotTaken) {
  RunRecord record;
  record.network = build_network("resnet8", {{3, 32, 32}, 10, 4});
  record.identity.name = "gcg-old";
  record.identity.defaults_version = 1;
  fs::create_directories(runs() / "gcg-old");
  write_run_file(runs() / "gcg-old" / "run.h5", record);
  std::ofstream(runs() / "growth_rules-smoke.json")
      << R"({"runs": [{"curve": "path, sampled", "seed": 1, "name": "gcg-old"}]})";
  const Outcome told =
      shell(fmt::format("{} --data-dir {} --out {} --only greedy", GCG_GROWTH_RULES,
                        folder.path().string(), runs().string()));
  EXPECT_EQ(told.status, 0) << told.output;
  EXPECT_THAT(told.output, HasSubstr("not used: gcg-old was made by another version"));
}

/// How often the log of each run has a line with this text.
std::map<std::string, int> count_lines(const fs::path& runs, const std::string& text) {
  std::map<std::string, int> counts;
  for (const auto& entry : fs::directory_iterator(runs)) {
    std::ifstream log(entry.path() / "log.txt");
    for (std::string line; std::getline(log, line);) {
      counts[entry.path().filename()] += line.find(text) != std::string::npos ? 1 : 0;
    }
  }
  return counts;
}

TEST_F(Study, TwoExperimentsInOneFolderComputeASharedRunOnce) {
  // It looks into runs of growth_rules: both name them.
  const std::string data =
      fmt::format("--data-dir {} --out {}", folder.path().string(), runs().string());
  const Outcome both =
      shell(fmt::format("{0} {2} & first=$!; {1} {2} & second=$!; wait $first; one=$?; wait "
                        "$second; echo statuses $one $?",
                        GCG_GROWTH_RULES, GCG_BOTTLENECK, data));
  EXPECT_THAT(both.output, HasSubstr("statuses 0 0")) << both.output;
  const std::map<std::string, int> first_stages = count_lines(runs(), "stage  0  density");
  EXPECT_EQ(first_stages.size(), files().size());
  for (const auto& [run, count] : first_stages) {
    EXPECT_EQ(count, 1) << run;
  }
}

TEST_F(Study, WorkersShareARunsFolderAndOneMayBeKilled) {
  const std::string worker = fmt::format("{} --data-dir {} --out {} --work", GCG_GROWTH_RULES,
                                         folder.path().string(), runs().string());
  const Outcome both =
      shell(fmt::format("{0} & victim=$!; {0} & other=$!; "
                        "until ls {1}/*/log.txt > /dev/null 2>&1; do sleep 0.05; done; sleep 1; "
                        "kill -KILL $victim; wait $victim; wait $other; echo status $?",
                        worker, runs().string()));
  EXPECT_THAT(both.output, HasSubstr("status 0")) << both.output;
  EXPECT_EQ(files().size(), 10U);
  const fs::path shared = runs();
  const Outcome local = shell(fmt::format("{} --data-dir {} --out {}-local", GCG_GROWTH_RULES,
                                          folder.path().string(), shared.string()));
  ASSERT_EQ(local.status, 0) << local.output;
  for (const fs::path& file : files()) {
    const fs::path twin = fs::path(shared.string() + "-local") / file.parent_path().filename();
    EXPECT_EQ(testing::difference(read_run_file(file), read_run_file(twin / "run.h5")), "") << file;
  }
  for (const auto& entry : fs::recursive_directory_iterator(runs())) {
    EXPECT_THAT(entry.path().filename().string(),
                AllOf(Not(HasSubstr(".lease")), Not(HasSubstr("probe")), Not(HasSubstr(".tmp"))));
  }
}

TEST_F(Study, AWorkerWhoseTimeIsOverAsksToBeContinued) {
  const Outcome late = shell(command() + " --work --minutes 0.1");
  EXPECT_EQ(late.status, 75) << late.output;
  EXPECT_TRUE(files().empty());
  const Outcome stopped = shell(fmt::format(
      "{0} --work & pid=$!; until ls {1}/*/log.txt > /dev/null 2>&1; do sleep 0.05; done; "
      "kill -USR1 $pid; wait $pid; echo status $?",
      command(), runs().string()));
  EXPECT_THAT(stopped.output, HasSubstr("status 75"));
  EXPECT_EQ(shell(command() + " --work").status, 0);
  EXPECT_EQ(files().size(), 2U);
}

TEST_F(Study, ARunThatFailsUnderOneWorkerIsNotTriedByTheOthers) {
  const Outcome dry = shell(command() + " --explain 'path, greedy'");
  const std::size_t at = dry.output.find("run      ") + 9;
  const fs::path run = runs() / dry.output.substr(at, dry.output.find('\n', at) - at);
  fs::create_directories(run / "checkpoint.gcg");
  const Outcome both = shell(fmt::format(
      "{0} --work & first=$!; {0} --work & second=$!; wait $first; one=$?; wait $second; "
      "echo statuses $one $?",
      command()));
  EXPECT_THAT(both.output, HasSubstr("statuses 1 1"));
  EXPECT_LE(count_lines(runs(), " connections, ")[run.filename()],
            2);  // both may have reached for it at once
  EXPECT_EQ(files().size(), 1U);
}

TEST_F(Study, ARunWhoseFolderCannotBeUsedFailsAloneAndSaysWhy) {
  const Outcome dry = shell(command() + " --explain 'path, greedy'");
  const std::size_t at = dry.output.find("run      ") + 9;
  const fs::path run = runs() / dry.output.substr(at, dry.output.find('\n', at) - at);
  const auto expect_failure = [&](const std::string& reason) {
    SCOPED_TRACE(reason);
    const Outcome outcome = shell(command());
    EXPECT_EQ(outcome.status, 1) << outcome.output;
    EXPECT_THAT(outcome.output,
                AllOf(HasSubstr("FAILED    path, greedy, seed 1"), HasSubstr(reason)));
    EXPECT_EQ(files().size(), 1U);  // of the other run
    const Outcome status = shell(command() + " --status");
    EXPECT_EQ(status.status, 0) << status.output;
    EXPECT_THAT(status.output, HasSubstr("finished"));
    fs::remove_all(run);
  };
  fs::create_directories(runs());
  std::ofstream(run) << "no folder";
  EXPECT_THAT(shell(command() + " --status").output, HasSubstr(run.string() + ": is not a folder"));
  expect_failure(run.string() + ": is not a folder");
  fs::create_directories(run / "log.txt");
  expect_failure("log.txt: Is a directory");
  fs::create_directories(run);
  { const FolderLock lock(run); }
  fs::create_symlink("/nowhere", run / ".lease.1");
  expect_failure(".lease.1: cannot read");
  EXPECT_EQ(shell(command()).status, 0);
}

TEST_F(Study, StatusTellsWhoIsAtARun) {
  const Outcome dry = shell(command() + " --explain 'path, greedy'");
  const std::size_t at = dry.output.find("run      ") + 9;
  const fs::path run = runs() / dry.output.substr(at, dry.output.find('\n', at) - at);
  fs::create_directories(run);
  const FolderLock lock(run);
  EXPECT_THAT(shell(command() + " --status").output,
              HasSubstr(fmt::format("    process {} on {}", ::getpid(), this_process().host)));
}

TEST_F(Study, ADamagedRunFileOfTheSameSizeAndTimeIsFoundByVerify) {
  ASSERT_EQ(shell(command()).status, 0);
  const fs::path file = files().front();
  const fs::file_time_type time = fs::last_write_time(file);
  {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(static_cast<std::streamoff>(fs::file_size(file) / 2));
    bytes.write("damage!", 7);
  }
  fs::last_write_time(file, time);
  const Outcome bad = shell(command() + " --verify");
  EXPECT_EQ(bad.status, 1) << bad.output;
  EXPECT_THAT(bad.output, HasSubstr("damaged: " + file.string()));
}

// The analysis, the export and the replay are held to the same in tests/analysis/test_damaged.py.
TEST_F(Study, VerifyNamesWhateverIsNoWholeFileOfItsRun) {
  ASSERT_EQ(shell(command()).status, 0);
  const fs::path file = files().front();
  const fs::path other = files().back();
  const fs::path kept = folder / "kept.h5";
  fs::copy_file(file, kept);
  const std::map<std::string, std::function<void()>> damages{
      {"empty", [&] { std::ofstream(file, std::ios::trunc).flush(); }},
      {"nonsense", [&] { std::ofstream(file, std::ios::trunc) << "no run file"; }},
      {"of another run", [&] { fs::copy_file(other, file); }},
      {"a folder", [&] { fs::create_directory(file); }},
      {"a pipe", [&] { ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0); }}};
  for (const auto& [name, damage] : damages) {
    SCOPED_TRACE(name);
    fs::remove_all(file);
    damage();
    const Outcome bad = shell(command() + " --verify");
    EXPECT_EQ(bad.status, 1) << bad.output;
    EXPECT_THAT(bad.output, HasSubstr(file.string()));
    EXPECT_THAT(bad.output, Not(HasSubstr(other.string())));
  }
  fs::remove_all(file);
  fs::copy_file(kept, file);
  EXPECT_EQ(shell(command() + " --verify").status, 0);
}

TEST_F(Study, TheStatusOfManyRunsComesFromTheirStatusFiles) {
  ASSERT_EQ(shell(command()).status, 0);
  // One finished run in the place of each of 500: its status file says whose it is.
  const fs::path done = files().front().parent_path();
  std::ifstream file(done / "status.json");
  const nlohmann::json status = nlohmann::json::parse(file);
  const fs::path many = folder / "many";
  const std::string asked = fmt::format("{} --data-dir {} --out {} --seeds 50", GCG_GROWTH_RULES,
                                        folder.path().string(), many.string());
  const nlohmann::json study = nlohmann::json::parse(shell(asked + " --runs").output);
  ASSERT_EQ(study.at("runs").size(), 500U);
  for (const nlohmann::json& run : study.at("runs")) {
    const fs::path place = many / run.at("name").get<std::string>();
    fs::create_directories(place);
    fs::create_hard_link(done / "run.h5", place / "run.h5");
    nlohmann::json own = status;
    own["hash"] = "another";
    std::ofstream(place / "status.json") << own;
  }
  const auto told = [&asked] {
    const auto begin = std::chrono::steady_clock::now();
    std::string output = shell(asked + " --status").output;
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    return std::pair(std::move(output), taken.count());
  };
  // Run files of other runs are read whole, and foreign: what the status files are to save.
  const auto [foreign, seconds_by_run_files] = told();
  EXPECT_THAT(foreign, HasSubstr("foreign"));
  for (const nlohmann::json& run : study.at("runs")) {
    const auto name = run.at("name").get<std::string>();
    nlohmann::json own = status;
    own["hash"] = make_run_plan(run.at("options").get<GivenOptions>())->identity.hash;
    std::ofstream(many / name / "status.json") << own;
  }
  const auto [output, seconds] = told();
  EXPECT_THAT(output, AllOf(HasSubstr("finished"), Not(HasSubstr("foreign"))));
  EXPECT_LT(seconds, 0.5 * seconds_by_run_files) << seconds << " s, " << seconds_by_run_files;
}

TEST_F(Study, ATerminatedStudyEndsItsRunsAndGoesOnLater) {
  // Terminated as soon as a run has written its first checkpoint.
  const Outcome stopped = shell(fmt::format(
      "{0} & pid=$!; until ls {1}/*/checkpoint.gcg > /dev/null 2>&1; do sleep 0.05; done; "
      "kill -TERM $pid; wait $pid; echo status $?",
      command(), runs().string()));
  EXPECT_THAT(stopped.output, HasSubstr("status 143"));
  EXPECT_THAT(stopped.output, HasSubstr("the same command goes on"));
  for (const auto& entry : fs::directory_iterator(runs())) {
    if (entry.is_directory()) {
      EXPECT_FALSE(lock_owner(entry.path()).has_value()) << entry.path();
    }
  }
  const Outcome status = shell(command() + " --status");
  EXPECT_THAT(status.output, HasSubstr("stopped"));
  const Outcome rest = shell(command());
  EXPECT_EQ(rest.status, 0) << rest.output;
  EXPECT_EQ(files().size(), 2U);
}

TEST_F(Study, TheWatchEndsWhenNothingRuns) {
  const Outcome idle = shell(command() + " --status --watch");
  EXPECT_EQ(idle.status, 0) << idle.output;
  EXPECT_THAT(idle.output, HasSubstr("nothing runs"));
  // While somebody is at a run it goes on, and it ends when that one does.
  const Outcome dry = shell(command() + " --explain 'path, greedy'");
  const std::size_t at = dry.output.find("run      ") + 9;
  const fs::path run = runs() / dry.output.substr(at, dry.output.find('\n', at) - at);
  fs::create_directories(run);
  auto lock = std::make_unique<FolderLock>(run);
  const fs::path page = folder / "page";
  std::jthread worker([&] {
    while (!fs::exists(page) || fs::file_size(page) == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    lock.reset();
  });
  const Outcome watched =
      shell(fmt::format("{} --status --watch | tee {}", command(), page.string()));
  EXPECT_EQ(watched.status, 0) << watched.output;
  const std::string headline = "growth_rules: 2 runs, 0 finished, 1 running, 0 failed";
  const std::size_t first = watched.output.find(headline);
  ASSERT_NE(first, std::string::npos) << watched.output;
  EXPECT_THAT(watched.output.substr(first + 1), HasSubstr("0 running"));
  EXPECT_THAT(watched.output, ::testing::EndsWith("nothing runs\n"));
}

TEST_F(Study, AFailedRunShowsItsLogAndItsLastLine) {
  const Outcome dry = shell(command() + " --explain 'path, greedy'");
  const std::size_t at = dry.output.find("run      ") + 9;
  const fs::path run = runs() / dry.output.substr(at, dry.output.find('\n', at) - at);
  fs::create_directories(run / "checkpoint.gcg");
  EXPECT_EQ(shell(command()).status, 1);
  for (const char* question : {" --status", " --status --watch"}) {
    const Outcome status = shell(command() + question);
    EXPECT_THAT(status.output, HasSubstr("failed"));
    EXPECT_THAT(status.output, HasSubstr("log " + (run / "log.txt").string()));
    EXPECT_THAT(status.output, HasSubstr("    gcg_run: "));
  }
}

TEST_F(Study, RunsOnGpusGetOneEachAndSayWhatIsMissing) {
  // A machine with two GPUs as nvidia-smi tells it; no program here can use them.
  const fs::path smi = folder / "nvidia-smi";
  std::ofstream(smi) << "#!/bin/sh\necho 0, GPU-a, 80000; echo 1, GPU-b, 70000\n";
  fs::permissions(smi, fs::perms::owner_all);
  const std::string machine = fmt::format(
      "env -u CUDA_VISIBLE_DEVICES CUDA_MPS_PIPE_DIRECTORY=/none PATH={}:$PATH {} --device cuda",
      folder.path().string(), command());
  const Outcome launch = shell(machine + " --runs-per-gpu 2 --gpus 1");
  EXPECT_EQ(launch.status, 1) << launch.output;
  EXPECT_THAT(launch.output, AllOf(HasSubstr("2 to do, 2 side by side"),
                                   HasSubstr("GPUs 0: at most 2 runs on each; they take turns"),
                                   HasSubstr("2 of 2 runs failed")));
  for (const auto& [run, count] : count_lines(runs(), "gcg_run: --device cuda: ")) {
    EXPECT_EQ(count, 1) << run;
  }
  EXPECT_THAT(shell(machine + " --work").output, HasSubstr("2 side by side"));
  EXPECT_THAT(shell(machine + " --gpus 3").output, HasSubstr("those seen here: 0, 1"));
  EXPECT_THAT(shell("env CUDA_VISIBLE_DEVICES= " + command() + " --device cuda").output,
              HasSubstr("no GPU is seen here"));
  EXPECT_THAT(shell(command() + " --gpus 1").output, HasSubstr("--gpus: no run is on a GPU"));
  const std::string script = shell(machine + " --precision bf16 --slurm-dry-run").output;
  EXPECT_THAT(script, AllOf(HasSubstr("--gres=gpu:1\n"), HasSubstr("--device=cuda"),
                            HasSubstr("--precision=bf16")));
  EXPECT_THAT(shell(machine + " --slurm-dry-run --gpus 1").output,
              HasSubstr("Slurm says which GPUs"));
}

TEST_F(Study, WhereSlurmCannotBeAskedTheRunsAreShownAllTheSame) {
  // A host without Slurm, or a controller that is down, and a study that was once submitted.
  fs::create_directories(runs());
  std::ofstream(runs() / "growth_rules-smoke.slurm.jobs") << "17\n";
  const fs::path squeue = folder / "squeue";
  std::ofstream(squeue) << "#!/bin/sh\nexit 1\n";
  fs::permissions(squeue, fs::perms::owner_all);
  const std::string without = fmt::format("env PATH={}:$PATH ", folder.path().string()) + command();
  const Outcome status = shell(without + " --status");
  EXPECT_EQ(status.status, 0) << status.output;
  EXPECT_THAT(status.output,
              AllOf(HasSubstr("path, greedy"), HasSubstr("Slurm's queue cannot be asked now")));
  const Outcome script = shell(without + " --slurm-dry-run");
  EXPECT_EQ(script.status, 0) << script.output;
  EXPECT_THAT(script.output, HasSubstr("#SBATCH --array"));
  EXPECT_EQ(shell(without + " --cancel").status, 1);
}

TEST_F(Study, DataWithoutSizesAndMixedQuestionsAreUsageErrors) {
  const Outcome refused = shell(command(GCG_WALL_CLOCK) + " --data tinyimagenet --list");
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.output, HasSubstr("wall_clock has no sizes for tinyimagenet"));
  EXPECT_EQ(shell(command() + " --watch").status, 2);
  EXPECT_EQ(shell(command() + " --list --verify").status, 2);
}

}  // namespace
}  // namespace gcg
