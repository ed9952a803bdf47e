// An experiment from its first run to its figure, on images written in the CIFAR-10 format.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/shell.h"
#include "base/temporary_folder.h"
#include "data/cifar_file.h"
#include "data/procedural.h"
#include "record/run_file.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;
using testing::Outcome;
using testing::shell;
using testing::TemporaryFolder;

/// A data folder with 250 + 50 images.
void write_data(const std::filesystem::path& folder, std::uint64_t seed = 1) {
  ProceduralOptions options;
  options.seed = seed;
  options.train_images = 250;
  options.test_images = 50;
  const DataSet data = make_procedural(options);
  test::write_cifar10_file(folder / "data_batch_1.bin", data.train);
  test::write_cifar10_file(folder / "test_batch.bin", data.test);
}

std::string growth_rules(const TemporaryFolder& folder) {
  return fmt::format("{} --data-dir {} --out {}/runs", GCG_GROWTH_RULES, folder.path().string(),
                     folder.path().string());
}

TEST(Experiment, RunsToItsFigureAndRepeatsNothing) {
  const TemporaryFolder folder;
  write_data(folder.path());
  const std::string command = growth_rules(folder) + " --only path --jobs 2";
  const Outcome first = shell(command);
  ASSERT_EQ(first.status, 0) << first.output;
  EXPECT_THAT(first.output, HasSubstr("2 runs, 2 to do"));

  const Outcome again = shell(command);
  EXPECT_EQ(again.status, 0) << again.output;
  EXPECT_THAT(again.output, HasSubstr("2 runs, 0 to do"));
  EXPECT_THAT(shell(command + " --status").output, HasSubstr("finished"));
  EXPECT_THAT(shell(command + " --status").output, ::testing::Not(HasSubstr("control")));

  const Outcome analysis = shell(fmt::format("{} {}/analyse.py {}/runs/growth_rules-smoke.json",
                                             GCG_PYTHON, GCG_ANALYSIS, folder.path().string()));
  EXPECT_EQ(analysis.status, 0) << analysis.output;
  for (const char* suffix : {".summary.json", ".md", ".png", ".pdf"}) {
    const auto path = folder.path() / "runs" / fmt::format("growth_rules-smoke{}", suffix);
    EXPECT_TRUE(std::filesystem::exists(path)) << path;
  }
  std::ifstream file(folder.path() / "runs" / "growth_rules-smoke.summary.json");
  const nlohmann::json summary = nlohmann::json::parse(file);
  const nlohmann::json& curve = summary.at("curves").at("path, sampled");
  ASSERT_EQ(curve.at("density").size(), 6U);

  // The summary's accuracies are those of the run file.
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "runs")) {
    if (std::filesystem::exists(entry.path() / "run.h5")) {
      const RunRecord record = read_run_file(entry.path() / "run.h5");
      if (record.identity.command.find("greedy") == std::string::npos) {
        for (std::size_t stage = 0; stage < 6; ++stage) {
          EXPECT_DOUBLE_EQ(curve.at("by_seed").at(0).at(stage).get<double>(),
                           record.stages.at(stage).validation_accuracy);
          EXPECT_DOUBLE_EQ(curve.at("density").at(stage).get<double>(),
                           record.stages.at(stage).density);
        }
      }
    }
  }
  // All runs of the study are listed, also those that --only left out: they are missing, not
  // forgotten.
  EXPECT_THAT(analysis.output, HasSubstr("Not finished (8)"));

  // Finished runs on other images are not this study's.
  write_data(folder.path(), 2);
  const Outcome other = shell(command);
  EXPECT_EQ(other.status, 1);
  EXPECT_THAT(other.output, HasSubstr("saw other images"));
}

TEST(Experiment, AFailedRunDoesNotStopTheOthersAndTheExitStatusTells) {
  const TemporaryFolder folder;
  write_data(folder.path());
  // A file where the first run's checkpoint would be makes that run fail.
  const std::string command = growth_rules(folder) + " --only path --jobs 1";
  const Outcome dry = shell(command + " --status");
  const std::string name = dry.output.substr(dry.output.find("gcg-resnet8"), 40);
  const auto run = folder.path() / "runs" / name.substr(0, name.find('\n'));
  std::filesystem::create_directories(run / "checkpoint.gcg");
  const Outcome outcome = shell(command);
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("FAILED"));
  EXPECT_THAT(outcome.output, HasSubstr("finished"));
  EXPECT_THAT(outcome.output, HasSubstr("log.txt"));
}

TEST(Experiment, EveryRunIsExecutedAsAskedFor) {
  const TemporaryFolder folder;
  const Outcome dry = shell(growth_rules(folder) + " --dry-run --execution dense");
  ASSERT_EQ(dry.status, 0) << dry.output;
  std::size_t runs = 0;
  for (std::size_t at = dry.output.find("gcg_run --"); at != std::string::npos;
       at = dry.output.find("gcg_run --", at + 1)) {
    EXPECT_THAT(dry.output.substr(at, dry.output.find('\n', at) - at),
                HasSubstr("--execution=dense"));
    ++runs;
  }
  EXPECT_GT(runs, 5U);
}

TEST(Experiment, SecondsAreMeasuredOneRunAtATimeAndComeToTheirFigure) {
  const TemporaryFolder folder;
  write_data(folder.path());
  const std::string command = fmt::format("{} --data-dir {} --out {}/runs", GCG_WALL_CLOCK,
                                          folder.path().string(), folder.path().string());
  EXPECT_THAT(shell(command + " --jobs 2").output, HasSubstr("would disturb each other"));
  EXPECT_THAT(shell(command + " --execution dense").output, HasSubstr("compares executions"));
  const Outcome outcome = shell(command);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("1 side by side"));
  const Outcome analysis = shell(fmt::format("{} {}/analyse.py {}/runs/wall_clock-smoke.json",
                                             GCG_PYTHON, GCG_ANALYSIS, folder.path().string()));
  ASSERT_EQ(analysis.status, 0) << analysis.output;
  std::ifstream file(folder.path() / "runs" / "wall_clock-smoke.summary.json");
  const nlohmann::json summary = nlohmann::json::parse(file);
  EXPECT_EQ(summary.at("curves").at("LibTorch, dense").at("execution"), "dense");
  EXPECT_EQ(summary.at("curves").at("LibTorch, dense").at("of_dense").at("mean"), 1);
  EXPECT_EQ(summary.at("curves").at("sparse 0.1").at("execution"), "sparse");
  EXPECT_EQ(summary.at("growth").size(), 1U);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "runs" / "wall_clock-smoke.png"));
}

TEST(Experiment, ListDryRunAndStatusStartNothing) {
  const TemporaryFolder folder;
  for (const char* flag : {"--list", "--dry-run", "--status", "--help"}) {
    const Outcome outcome = shell(growth_rules(folder) + " --scale small " + flag);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "runs"));
  const Outcome dry = shell(growth_rules(folder) + " --scale small --dry-run");
  EXPECT_THAT(dry.output, HasSubstr("gcg_run --"));
  EXPECT_THAT(dry.output, HasSubstr("control: density 0.050"));
}

TEST(Experiment, MissingDataIsToldBeforeAnyRunStarts) {
  const TemporaryFolder folder;
  const Outcome outcome = shell(
      fmt::format("env -u GCG_DATA {} --out {}/runs", GCG_GROWTH_RULES, folder.path().string()));
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.output, HasSubstr("GCG_DATA"));
  EXPECT_FALSE(std::filesystem::exists(folder / "runs"));
}

TEST(Experiment, WhatItDoesNotKnowIsAUsageError) {
  for (const char* arguments : {"--scale huge", "--jobs -1", "--only nonsense", "--execution fast",
                                "--frobnicate", "word"}) {
    SCOPED_TRACE(arguments);
    EXPECT_EQ(shell(fmt::format("{} {}", GCG_GROWTH_RULES, arguments)).status, 2);
  }
}

}  // namespace
}  // namespace gcg
