#include "study/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_folder.h"
#include "base/throws.h"
#include "study/planned_run.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

RunRecord record_of(double accuracy) {
  RunRecord record;
  record.status = RunStatus::finished;
  record.identity.train_images = 90;
  record.identity.validation_images = 10;
  record.cost.epochs = 4;
  record.cost.density_epochs = 0.8;
  record.cost.training_flops = 3.0 * 90 * 4 * 1000;
  record.result.emplace();
  record.result->density = 0.2;
  record.result->test_accuracy = accuracy;
  record.result->inference_flops = 1000;
  return record;
}

ExperimentRequest small_request() {
  ExperimentRequest request;
  request.scale.name = "small";
  return request;
}

const ExperimentRequest kSmall = small_request();

class Compare : public ::testing::Test {
 protected:
  RunRecord first = record_of(0.5);
  RunRecord second = record_of(0.6);
  std::vector<const RunRecord*> both{&first, &second};

  Comparison result(Expected expected, std::int64_t planned = 2) {
    return compare(expected, both, planned, kSmall);
  }
};

TEST_F(Compare, TheMeanOverTheFinishedRuns) {
  const Comparison good = result({"c", "test accuracy", 0.56, 0.02, "a source"});
  EXPECT_EQ(good.verdict, Verdict::pass);
  EXPECT_DOUBLE_EQ(good.mean, 0.55);
  EXPECT_EQ(good.runs, 2);
  EXPECT_EQ(result({"c", "test accuracy", 0.58, 0.02, ""}).verdict, Verdict::fail);
  EXPECT_EQ(result({"c", "test accuracy", 0.52, 0.02, ""}).verdict, Verdict::fail);
}

TEST_F(Compare, SomeRunsMissingIsSaid) {
  EXPECT_EQ(result({"c", "density", 0.2, 0, ""}, 5).reason, "2 of 5 runs");
}

TEST_F(Compare, WhatCannotBeComparedSaysWhy) {
  Expected expected{"c", "test accuracy", 0.55, 1, ""};
  expected.scale = "full";
  EXPECT_THAT(result(expected).reason, HasSubstr("full scale"));
  EXPECT_EQ(result(expected).verdict, Verdict::not_comparable);
  expected.scale = "small";
  EXPECT_EQ(result(expected).verdict, Verdict::pass);
  expected.data = "cifar100";
  EXPECT_THAT(result(expected).reason, HasSubstr("cifar100"));
  expected.data = "cifar10";
  expected.images = 50000;
  EXPECT_THAT(result(expected).reason, HasSubstr("other data: 100 images"));
  expected.images = 100;
  EXPECT_EQ(result(expected).verdict, Verdict::pass);
  EXPECT_EQ(compare(expected, {}, 2, kSmall).reason, "no run is finished");
  EXPECT_THAT(compare(expected, {}, 0, kSmall).reason, HasSubstr("no such curve"));
}

TEST_F(Compare, ARunWithoutTheNumberFails) {
  EXPECT_EQ(result({"c", "d*", 0.2, 1, ""}).verdict, Verdict::fail);
}

TEST_F(Compare, AnUnknownQuantityIsAnError) {
  GCG_EXPECT_ERROR((void)result({"c", "beauty", 1, 1, ""}), HasSubstr("'beauty' is none of"));
}

TEST(Verify, FailsIfARunFailedOrNothingIsThere) {
  const testing::TemporaryFolder folder;
  const auto two_seeds = [](const ExperimentRequest&) {
    return std::vector<ExperimentRun>{{"dense", {{"method", "dense"}}, 1},
                                      {"dense", {{"method", "dense"}}, 2}};
  };
  const Experiment experiment{"two", "for tests", {two_seeds}, {}};
  StudySettings settings;
  settings.request.scale.name = "smoke";
  settings.request.data = "procedural";
  settings.out = folder.path().string();
  auto planned = plan_runs(experiment, settings);
  EXPECT_FALSE(verify(experiment, settings, planned));
  std::filesystem::create_directories(planned[0].plan->folder());
  std::ofstream(planned[0].file()) << "a run";
  EXPECT_TRUE(verify(experiment, settings, planned));
  planned[1].disk = {.state = DiskState::failed, .note = "stage 1: nan"};
  EXPECT_FALSE(verify(experiment, settings, planned));
}

TEST(Quantities, FollowFromTheRecord) {
  RunRecord record = record_of(0.5);
  record.stages.resize(2);
  record.stages.front().density = 0.05;
  record.stages.front().fit.outcome = Outcome::found;
  record.stages.front().fit.d_star = 0.3;
  const auto of = [&](std::string_view name) {
    for (const Quantity& quantity : quantity_table()) {
      if (quantity.name == name) {
        return quantity.of(record);
      }
    }
    ADD_FAILURE() << name;
    return 0.0;
  };
  EXPECT_EQ(of("density"), 0.2);
  EXPECT_EQ(of("first density"), 0.05);
  EXPECT_EQ(of("epochs"), 4);
  EXPECT_EQ(of("density x epochs"), 0.8);
  EXPECT_DOUBLE_EQ(of("FLOPs of a pass"), 1);
  EXPECT_EQ(of("d*"), 0.3);
}

}  // namespace
}  // namespace gcg
