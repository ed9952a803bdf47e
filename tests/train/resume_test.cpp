#include "train/resume.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/throws.h"
#include "record/sample_record.h"

namespace gcg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A run that has begun on this GPU.
RunRecord begun_on(const std::string& gpu) {
  RunRecord record = fresh_record();
  record.libraries.push_back({"GPU", gpu});
  return record;
}

TEST(ResumedRecord, OnAnotherGpuIsAllowedAndTold) {
  std::vector<std::string> said;
  const RunRecord resumed = resumed_record(begun_on("NVIDIA A100-SXM4-40GB, 40.0 GiB"),
                                           begun_on("NVIDIA H200, 139.8 GiB"), "runs/x",
                                           [&](const std::string& line) { said.push_back(line); });
  EXPECT_THAT(said, ElementsAre(::testing::AllOf(
                        HasSubstr("warning: resumed with another set of libraries"),
                        HasSubstr("GPU NVIDIA H200, 139.8 GiB;"), HasSubstr("before: "),
                        HasSubstr("GPU NVIDIA A100-SXM4-40GB, 40.0 GiB;"))));
  EXPECT_EQ("warning: " + resumed.warnings.back(), said.front());
  EXPECT_EQ(resumed.libraries.back().version, "NVIDIA H200, 139.8 GiB");
}

TEST(ResumedRecord, OnTheSameGpuNothingIsSaid) {
  std::vector<std::string> said;
  const RunRecord resumed =
      resumed_record(begun_on("NVIDIA H200, 139.8 GiB"), begun_on("NVIDIA H200, 139.8 GiB"),
                     "runs/x", [&](const std::string& line) { said.push_back(line); });
  EXPECT_THAT(said, IsEmpty());
  EXPECT_EQ(resumed.warnings, fresh_record().warnings);
}

TEST(ResumedRecord, OfAnotherRunIsRefused) {
  RunRecord other = begun_on("NVIDIA H200, 139.8 GiB");
  other.identity.hash = "another";
  GCG_EXPECT_ERROR(resumed_record(begun_on("NVIDIA H200, 139.8 GiB"), other, "runs/x",
                                  [](const std::string& /*line*/) {}),
                   HasSubstr("the checkpoint belongs to another run"));
}

/// A run within its third phase, of 3 epochs of 20 batches with 2,500 images.
Checkpoint within_a_phase() {
  Checkpoint now = sample_checkpoint();
  now.position.phase = std::ssize(now.record.stages);
  now.record.cost.epochs = std::ssize(now.record.trajectory);
  return now;
}

Stage third_phase() {
  return {.phase = {.stage = 2,
                    .epochs = 3,
                    .first_update = 4,
                    .mask_updates = {10, 20, 60},
                    .snapshot = 7,
                    .gradient_average = 0.9}};
}

void check(const Checkpoint& now, const Stage& stage, std::int64_t counted = 3) {
  check_position(now, stage, counted, {20, 2500}, "runs/x");
}

TEST(CheckPosition, AcceptsWhatARunCanHaveComeTo) {
  EXPECT_NO_THROW(check(within_a_phase(), third_phase()));
  Checkpoint at_its_end = within_a_phase();
  at_its_end.position = {.phase = at_its_end.position.phase, .epoch_in_phase = 3};
  EXPECT_NO_THROW(check(at_its_end, third_phase(), 0));
  Stage plain;
  plain.phase.epochs = 2;
  EXPECT_NO_THROW(check(within_a_phase(), plain));
}

TEST(CheckPosition, RefusesWhatNoRunCanHaveComeTo) {
  using Change = std::function<void(Checkpoint&, Stage&)>;
  const auto refused = [](const std::string& why, const Change& change) {
    SCOPED_TRACE(why);
    Checkpoint now = within_a_phase();
    Stage stage = third_phase();
    change(now, stage);
    GCG_EXPECT_ERROR(check(now, stage),
                     HasSubstr("runs/x: its checkpoint is inconsistent: " + why));
  };
  constexpr std::int64_t huge = 1'000'000'000'000;
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  constexpr double endless = std::numeric_limits<double>::infinity();
  for (const std::int64_t wrong : {std::int64_t{-1}, huge, INT64_MIN, INT64_MAX}) {
    const auto said = [&](const char* what) { return fmt::format("{} {}", what, wrong); };
    refused(said("phase"), [&](Checkpoint& now, Stage&) { now.position.phase = wrong; });
    refused(said("epochs"), [&](Checkpoint& now, Stage&) { now.record.cost.epochs = wrong; });
    refused(said("epoch"), [&](Checkpoint& now, Stage&) { now.position.epoch_in_phase = wrong; });
    refused(said("batch"), [&](Checkpoint& now, Stage&) { now.position.batch_in_epoch = wrong; });
    refused(said("sample"), [&](Checkpoint& now, Stage&) { now.position.samples = wrong; });
    refused(said("correct sample"), [&](Checkpoint& now, Stage&) { now.position.correct = wrong; });
    refused(said("stage"), [&](Checkpoint&, Stage& stage) { stage.phase.stage = wrong; });
    refused(said("epochs of its phase"),
            [&](Checkpoint&, Stage& stage) { stage.phase.epochs = wrong; });
    refused(said("first update"),
            [&](Checkpoint&, Stage& stage) { stage.phase.first_update = wrong; });
    refused(said("update before a copy of the state"),
            [&](Checkpoint&, Stage& stage) { stage.phase.snapshot = wrong; });
    refused(said("update of the mask"),
            [&](Checkpoint&, Stage& stage) { stage.phase.mask_updates = {wrong}; });
  }
  refused("epochs of its phase 0", [](Checkpoint&, Stage& stage) { stage.phase.epochs = 0; });
  refused("batch 17", [](Checkpoint& now, Stage&) { now.position.epoch_in_phase = 3; });
  refused("correct sample 77", [](Checkpoint& now, Stage&) { now.position.samples = 76; });
  refused("update of the mask 61", [](Checkpoint&, Stage& stage) {
    stage.phase.mask_updates = {10, 61};
  });
  refused("update of the mask 10", [](Checkpoint&, Stage& stage) {
    stage.phase.mask_updates = {10, 10};
  });
  refused("masks", [](Checkpoint& now, Stage&) { now.record.masks.pop_back(); });
  refused("layer counts of the allocation 1",
          [](Checkpoint&, Stage& stage) { stage.mask.allocation.counts = {1}; });
  refused("layer counts of the allocation 1",
          [](Checkpoint&, Stage& stage) { stage.mask.allocation.wanted = {1}; });
  for (const double wrong : {none, endless, -endless}) {
    refused("loss", [&](Checkpoint& now, Stage&) { now.position.loss_sum = wrong; });
    refused("learning rate", [&](Checkpoint&, Stage& stage) { stage.phase.schedule.peak = wrong; });
    refused("warm-up", [&](Checkpoint&, Stage& stage) { stage.phase.schedule.warmup = wrong; });
    refused("weight of an average",
            [&](Checkpoint&, Stage& stage) { stage.phase.gradient_average = wrong; });
  }
  GCG_EXPECT_ERROR(check(within_a_phase(), third_phase(), 18),
                   HasSubstr("counted batch 18, of 17"));
  GCG_EXPECT_ERROR(check(within_a_phase(), third_phase(), -1), HasSubstr("counted batch -1"));
}

TEST(CheckPosition, RefusesWeightsWhereNoConnectionIs) {
  Checkpoint now = within_a_phase();
  for (std::int64_t i = 0; i < now.state.mask.layers[3].size(); ++i) {
    if (!now.state.mask.layers[3].test(i)) {
      now.state.values.weights[3][static_cast<std::size_t>(i)] = 1;
    }
  }
  EXPECT_THROW(check(now, third_phase()), Error);
}

TEST(ResumedRecord, ThatIsFinishedHasAResultAndAllItsMasks) {
  const auto resumed = [](RunRecord old) {
    RunRecord own = fresh_record();
    own.identity = old.identity;
    own.network = old.network;
    return resumed_record(std::move(old), std::move(own), "runs/x", [](const std::string&) {});
  };
  EXPECT_EQ(resumed(sample_record()).status, RunStatus::finished);
  for (const auto& change : std::vector<std::function<void(RunRecord&)>>{
           [](RunRecord& record) { record.result.reset(); },
           [](RunRecord& record) { record.masks.pop_back(); },
           [](RunRecord& record) {
             record.stages.clear();
             record.masks.clear();
           }}) {
    RunRecord record = sample_record();
    change(record);
    GCG_EXPECT_ERROR(resumed(record), HasSubstr("it says that the run is finished, but has no"));
  }
}

}  // namespace
}  // namespace gcg
