#include "train/recorder.h"

#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "record/sample_record.h"

namespace gcg {
namespace {

/// A recorder whose last saving took 0.06 s and ended so many seconds ago.
Recorder saved(double ago) {
  Recorder recorder;
  recorder.checkpoint_seconds = 60;
  recorder.saved_at = now_seconds() - ago;
  recorder.save_seconds = 0.06;
  return recorder;
}

TEST(Recorder, SavesAfterAnEpochOnceThatTakesLessThanOnePercentOfTheTime) {
  // 0.06 s of 6 s: with epochs of 1 s, every sixth one is saved.
  EXPECT_FALSE(save_is_due(saved(5), true));
  EXPECT_TRUE(save_is_due(saved(6.1), true));
  EXPECT_LT(0.06 / (0.06 / kRecordingShare + 0.06), 0.01);
}

TEST(Recorder, TheTimeOfKeptStagesCounts) {
  Recorder recorder = saved(8.9);
  recorder.kept_seconds = 0.03;  // 0.09 s of 9 s
  EXPECT_FALSE(save_is_due(recorder, true));
  recorder.saved_at -= 0.2;
  EXPECT_TRUE(save_is_due(recorder, true));
}

TEST(Recorder, TheFirstSavingOfAProcessIsDueAtTheFirstGoodMoment) {
  Recorder recorder;
  recorder.kept_seconds = 30;
  EXPECT_TRUE(save_is_due(recorder, true));
  EXPECT_FALSE(save_is_due(recorder, false));
}

class KeptStages : public ::testing::Test {
 protected:
  KeptStages() { recorder.folder = folder.path(); }
  testing::TemporaryFolder folder;
  Recorder recorder;
  Checkpoint now = sample_checkpoint();
};

TEST_F(KeptStages, AddsUpTheTimeOfKeptStagesUntilTheNextSaving) {
  keep_stage(recorder, now, 0);
  const double once = recorder.kept_seconds;
  EXPECT_GT(once, 0);
  keep_stage(recorder, now, 1);
  EXPECT_GT(recorder.kept_seconds, once);
  EXPECT_EQ(recorder.to_flush.size(), 2U);
  save(recorder, now);
  EXPECT_EQ(recorder.kept_seconds, 0);
  EXPECT_TRUE(recorder.to_flush.empty());
  recorder.keep_stages = false;
  keep_stage(recorder, now, 2);
  EXPECT_EQ(recorder.kept_seconds, 0);
}

// As of the state that is kept for save_kept.
TEST_F(KeptStages, ACopySavesAfterTheStagesWereFlushed) {
  keep_stage(recorder, now, 0);
  Recorder copy = recorder;
  save(recorder, now);
  save(copy, now);
  EXPECT_TRUE(copy.to_flush.empty());
}

TEST_F(KeptStages, KeepsFewDescriptorsOpenForStagesThatAreNotFlushed) {
  for (std::int64_t stage = 0; stage < 100; ++stage) {
    keep_stage(recorder, now, stage);
    EXPECT_LT(recorder.to_flush.size(), 64U);
  }
}

TEST_F(KeptStages, AStageIsAsLargeHoweverManyRowsCameBefore) {
  keep_stage(recorder, now, 0);
  const auto rows = now.record.trajectory;
  for (int i = 0; i < 100; ++i) {
    now.record.trajectory.insert(now.record.trajectory.end(), rows.begin(), rows.end());
    now.record.stages.push_back(now.record.stages.front());
  }
  keep_stage(recorder, now, 1);
  EXPECT_EQ(std::filesystem::file_size(stage_path(folder.path(), 0)),
            std::filesystem::file_size(stage_path(folder.path(), 1)));
}

TEST(Recorder, SavesWithinAnEpochAfterTheLongestTimeAlone) {
  EXPECT_FALSE(save_is_due(saved(50), false));
  EXPECT_TRUE(save_is_due(saved(61), false));
}

TEST(Recorder, ASlowSavingWaitsNoLongerThanTheLongestTime) {
  Recorder slow = saved(61);
  slow.save_seconds = 30;
  EXPECT_TRUE(save_is_due(slow, true));
}

}  // namespace
}  // namespace gcg
