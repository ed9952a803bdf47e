// gcg_run as a user meets it: a process that can be killed, asked for nonsense and run out of disk.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <tuple>

#include "base/file.h"
#include "base/folder_lock.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/shell.h"
#include "base/temporary_folder.h"
#include "record/run_file.h"
#include "run/same_run.h"

namespace gcg {
namespace {

using testing::difference;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::shell;
using testing::TemporaryFolder;

Outcome gcg_run(const std::string& arguments) { return shell(GCG_RUN_PROGRAM " " + arguments); }

const std::string kNetwork =
    "--method gcg --network resnet8 --width 4 --data-test-images 50 --batch-size 64 --epochs 2 "
    "--stage-epochs 1 --disconnected repair --max-stages 6 --min-stages 5 --bootstrap 20";

const std::string kMiniature = kNetwork + " --data-images 300";

std::filesystem::path only_run_file(const std::filesystem::path& out) {
  for (const auto& entry : std::filesystem::directory_iterator(out)) {
    return entry.path() / "run.h5";
  }
  return {};
}

TEST(Program, KilledAtAnyMomentItEndsWithTheSameBits) {
  const std::string longer = kNetwork + " --data-images 1500";
  const TemporaryFolder whole;
  const double start = now_seconds();
  const Outcome outcome = gcg_run(fmt::format("{} --out {}", longer, whole.path().string()));
  const double duration = now_seconds() - start;
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const RunRecord expected = read_run_file(only_run_file(whole.path()));

  const TemporaryFolder broken;
  const TemporaryFolder logs;
  const std::string command = fmt::format("{} {} --checkpoint-seconds 0.05 --out {}",
                                          GCG_RUN_PROGRAM, longer, broken.path().string());
  RandomStream stream(20260101, "kill-times");
  int killed = 0;
  int resumed = 0;
  for (int attempt = 0; attempt < 6; ++attempt) {
    // Some time after it has saved, however slow the machine is: every attempt gets further.
    const Outcome part = shell(fmt::format(
        "touch {1}/begin; {0} > {1}/log 2>&1 & pid=$!; "
        "until [ $(echo {2}/*/checkpoint.gcg) -nt {1}/begin ] || ! kill -0 $pid 2> /dev/null; do "
        "sleep 0.005; done; sleep {3:.3f}; kill -KILL $pid 2> /dev/null; "
        "wait $pid; status=$?; cat {1}/log; (exit $status)",
        command, logs.path().string(), broken.path().string(), duration * 0.1 * stream.uniform()));
    resumed += part.output.find("resumed") != std::string::npos ? 1 : 0;
    if (part.status == 0) {
      break;
    }
    ASSERT_EQ(part.status, 137) << part.output;
    ++killed;
  }
  // What a process leaves that is killed while it writes.
  const std::filesystem::path left =
      only_run_file(broken.path()).parent_path() / "checkpoint.gcg.host.7.tmp";
  std::ofstream(left) << "half a checkpoint";
  const Outcome last = shell(command);
  ASSERT_EQ(last.status, 0) << last.output;
  EXPECT_FALSE(std::filesystem::exists(left));
  resumed += last.output.find("resumed") != std::string::npos ? 1 : 0;
  EXPECT_GE(killed, 2);
  EXPECT_GE(resumed, 1);
  EXPECT_EQ(difference(read_run_file(only_run_file(broken.path())), expected), "")
      << killed << " times killed, " << resumed << " times resumed";
}

TEST(Program, LostProgressIsNothingAndALostResultIsAFailure) {
  const std::string shorter =
      "--method dense --epochs 1 --width 4 --data-images 100 --data-test-images 50";
  for (const auto& [streams, status] : std::vector<std::pair<std::string, int>>{
           {"2>&-", 0}, {"2>/dev/full", 0}, {">/dev/full", 1}, {">&-", 1}}) {
    SCOPED_TRACE(streams);
    const TemporaryFolder folder;
    const std::string line =
        fmt::format("{} --out {} {}", shorter, folder.path().string(), streams);
    EXPECT_EQ(gcg_run(line).status, status);
    EXPECT_EQ(read_run_file(only_run_file(folder.path())).status, RunStatus::finished);
    EXPECT_EQ(std::filesystem::file_size(only_run_file(folder.path()).parent_path() / ".lock"), 0);
  }
}

TEST(Program, AFinishedRunIsNotRepeated) {
  const TemporaryFolder folder;
  const std::string arguments = fmt::format("{} --out {}", kMiniature, folder.path().string());
  ASSERT_EQ(gcg_run(arguments).status, 0);
  const auto before = std::filesystem::last_write_time(only_run_file(folder.path()).parent_path() /
                                                       "checkpoint.gcg");
  const Outcome again = gcg_run(arguments);
  EXPECT_EQ(again.status, 0) << again.output;
  EXPECT_EQ(std::filesystem::last_write_time(only_run_file(folder.path()).parent_path() /
                                             "checkpoint.gcg"),
            before);
}

std::string version_of(std::string_view library, const RunRecord& record) {
  const auto found = std::ranges::find(record.libraries, library, &Library::name);
  return found == record.libraries.end() ? "" : found->version;
}

TEST(Program, TheRunFileTellsHowTheNetworkWasRun) {
  for (const auto& [arguments, asked, used] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"", "auto", "sparse"}, {" --execution dense --threads 2", "dense", "dense"}}) {
    SCOPED_TRACE(used);
    const TemporaryFolder folder;
    const Outcome outcome = gcg_run(fmt::format(
        "{} --method dense --epochs 1 --data-images 100 --data-test-images 50 --width 4 --out {}",
        arguments, folder.path().string()));
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    const RunRecord record = read_run_file(only_run_file(folder.path()));
    EXPECT_EQ(record.execution.asked, asked);
    EXPECT_EQ(record.execution.used, used);
    EXPECT_EQ(record.execution.kernels.empty(), used == "dense");
    EXPECT_EQ(version_of("LibTorch", record).empty(), used == "sparse");
    const auto blas = std::ranges::find(record.libraries, "BLAS", &Library::name);
    EXPECT_EQ(blas != record.libraries.end(), used == "dense");
  }
}

TEST(Program, LibTorchIsLoadedOnlyForWhatNeedsItAndChangesNoBitOfTheRest) {
  const std::string own = GCG_RUN_PROGRAM;
  EXPECT_THAT(shell("ldd " + own).output, ::testing::Not(HasSubstr("libtorch")));
  const std::string growth = " --method gcg --max-stages 2 --stage-epochs 1";
  std::map<std::string, RunRecord> records;
  for (const auto& [name, command] : std::map<std::string, std::string>{
           {"without", own + growth},
           {"with", own + "_libtorch" + growth},
           {"processes", own + growth + " --processes 2"},
           {"curvature", own + " --method fixed_mask --seed-rule grasp --seed-density 0.5"}}) {
    SCOPED_TRACE(name);
    const TemporaryFolder folder;
    const Outcome outcome =
        shell(fmt::format("{} --network lenet5 --epochs 1 --data-images 100 --data-test-images 20 "
                          "--out {}",
                          command, folder.path().string()));
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    records[name] = read_run_file(only_run_file(folder.path()));
    EXPECT_EQ(version_of("LibTorch", records[name]).empty(), name == "without");
  }
  EXPECT_EQ(difference(records["without"], records["with"]), "");
}

TEST(Program, UsageErrorsExitWithTwoAndTeach) {
  for (const auto& [arguments, text] : std::vector<std::pair<std::string, std::string>>{
           {"--seed-density 0", "(0, 1]"},
           {"--method dense --beta 2", "belongs to method gcg"},
           {"--network resnet9", "is none of"},
           {"--execution fast", "is none of: auto, sparse, dense"},
           {"--frobnicate", "frobnicate"},
           {"--data cifar10", "data-dir"}}) {
    SCOPED_TRACE(arguments);
    const TemporaryFolder folder;
    const Outcome outcome = shell(fmt::format("env -u GCG_DATA {} {} --out {}", GCG_RUN_PROGRAM,
                                              arguments, folder.path().string()));
    EXPECT_EQ(outcome.status, 2);
    EXPECT_THAT(outcome.output, HasSubstr(text));
  }
}

TEST(Program, DamagedDataIsAnErrorThatNamesFileAndPosition) {
  const TemporaryFolder folder;
  const std::string record(3073, '\0');
  std::ofstream(folder.path() / "data_batch_1.bin") << record << record.substr(0, 100);
  std::ofstream(folder.path() / "test_batch.bin") << record;
  const Outcome outcome =
      gcg_run(fmt::format("--data cifar10 --data-dir {0} --out {0}/runs", folder.path().string()));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.output, HasSubstr("data_batch_1.bin"));
  EXPECT_THAT(outcome.output, HasSubstr("3073"));
}

TEST(Program, TwoProcessesNeverWorkInOneFolder) {
  const TemporaryFolder folder;
  const std::string arguments = fmt::format("{} --out {}", kMiniature, folder.path().string());
  const std::string plan = gcg_run(arguments + " --dry-run").output;
  const std::size_t begin = plan.find("folder  ") + 8;
  const std::filesystem::path run = plan.substr(begin, plan.find('\n', begin) - begin);
  make_writable_folder(run);
  {
    const FolderLock other(run);
    const Outcome outcome = gcg_run(arguments);
    EXPECT_EQ(outcome.status, 75);  // no failure: later
    EXPECT_THAT(outcome.output, HasSubstr("another process is working in this folder"));
  }
  EXPECT_EQ(gcg_run(arguments).status, 0);
}

TEST(Program, SignalsEndItWithinFiveSecondsWhereItStands) {
  const std::string longer = kNetwork + " --data-images 1500";
  const TemporaryFolder whole;
  const double start = now_seconds();
  ASSERT_EQ(gcg_run(fmt::format("{} --out {}", longer, whole.path().string())).status, 0);
  const double duration = now_seconds() - start;
  const RunRecord expected = read_run_file(only_run_file(whole.path()));
  const TemporaryFolder broken;
  const std::string command =
      fmt::format("{} {} --out {}", GCG_RUN_PROGRAM, longer, broken.path().string());
  const TemporaryFolder logs;
  RandomStream stream(20261129, "signal-times");
  int stopped = 0;
  for (const char* signal : {"TERM", "USR1", "INT", "HUP", "TERM", "USR1"}) {
    // By default a checkpoint is written every 300 s: what is kept here was saved at the signal. It
    // comes twice, as from a scheduler and from a script. A shell's background ignores SIGINT.
    const Outcome part = shell(fmt::format(
        "rm -f {1}/log; env --default-signal {0} > {1}/log 2>&1 & pid=$!; "
        "until grep -qs ' connections, ' {1}/log; do sleep 0.02; done; sleep {2:.3f}; "
        "begin=$(date +%s%N); kill -{3} $pid; kill -{3} $pid; wait $pid; status=$?; "
        "echo waited $(( ($(date +%s%N) - begin) / 1000000 )) ms; (exit $status)",
        command, logs.path().string(), duration * (0.05 + 0.1 * stream.uniform()), signal));
    if (part.status == 0) {
      break;
    }
    ASSERT_EQ(part.status, 75) << signal << part.output;
    EXPECT_LT(std::stod(part.output.substr(part.output.find("waited ") + 7)), 5000) << signal;
    ++stopped;
  }
  EXPECT_GE(stopped, 2);
  const Outcome last = shell(command);
  ASSERT_EQ(last.status, 0) << last.output;
  EXPECT_EQ(difference(read_run_file(only_run_file(broken.path())), expected), "")
      << stopped << " times stopped";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(broken.path())) {
    EXPECT_THAT(entry.path().string(), ::testing::Not(HasSubstr(".lease")));
  }
}

TEST(Program, ASignalThatComesWhenTheRunIsDoneDoesNotSpoilItsStatus) {
  // It comes right after the line with the result, of a run that had been done before.
  const TemporaryFolder folder;
  for (const char* processes : {" --execution sparse", " --processes 2"}) {
    for (const char* signal : {"TERM", "USR1", "INT", "HUP"}) {
      const Outcome outcome = shell(fmt::format(
          "{{ sh -c 'echo $$ > {1}/pid; exec env --default-signal stdbuf -oL {0} --method dense "
          "--epochs 1 --data-images 100 --data-test-images 50 --network resnet8 --width 4 "
          "--out {1}{2}' 2>&1; echo ended $?; }} | while read -r word rest; do "
          "if [ $word = density ]; then read -r pid < {1}/pid; kill -{3} $pid; fi; "
          "echo $word $rest; done",
          GCG_RUN_PROGRAM, folder.path().string(), processes, signal));
      EXPECT_THAT(outcome.output, HasSubstr("density 1.0")) << signal << processes;
      EXPECT_THAT(outcome.output, HasSubstr("ended 0")) << signal << processes;
    }
  }
}

TEST(Program, ASignalSavesTheRunAlsoWhereNothingCanBeTold) {
  // As on a terminal that went away, which is what SIGHUP says.
  const TemporaryFolder folder;
  const Outcome stopped = shell(fmt::format(
      "env --default-signal {0} --method dense --network resnet8 --width 4 --epochs 100000 "
      "--data-images 300 --data-test-images 50 --batch-size 64 --out {1} 2> /dev/full & pid=$!; "
      "while kill -0 $pid && ! ls {1}/*/network.json; do sleep 0.02; done; "
      "kill -HUP $pid; wait $pid",
      GCG_RUN_PROGRAM, folder.path().string()));
  EXPECT_EQ(stopped.status, 75) << stopped.output;
}

TEST(Program, AFullDiskIsAClearErrorAndTheRunGoesOnLater) {
  // A limit on the size of files stands for the disk: the first checkpoint does not fit. The
  // system's signal for it (SIGXFSZ) would end the program, if that did not ignore it.
  const TemporaryFolder folder;
  const std::string arguments = fmt::format("{} --out {}", kMiniature, folder.path().string());
  const Outcome full =
      shell(fmt::format("bash -c \"ulimit -f 40; {} {}\"", GCG_RUN_PROGRAM, arguments));
  EXPECT_EQ(full.status, 1);
  EXPECT_THAT(full.output, HasSubstr("checkpoint.gcg"));
  EXPECT_THAT(full.output, HasSubstr("cannot write"));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    EXPECT_THAT(entry.path().string(), ::testing::Not(HasSubstr(".tmp")));
  }
  EXPECT_EQ(gcg_run(arguments).status, 0);
}

TEST(Program, HelpListVersionAndDryRunTouchNothing) {
  const TemporaryFolder folder;
  for (const char* flag : {"--help", "--list", "--version", "--dry-run"}) {
    const Outcome outcome = gcg_run(fmt::format("{} --out {}/runs", flag, folder.path().string()));
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_FALSE(outcome.output.empty());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace gcg
