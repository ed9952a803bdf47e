#include "train/schedule.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace gcg {
namespace {

TEST(Schedule, StepDropsTenfoldAtHalfAndAtThreeQuarters) {
  const Schedule schedule{ScheduleShape::step, 0.1, 0};
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 0, 160), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 79, 160), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 80, 160), 0.1 * 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 119, 160), 0.1 * 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 120, 160), 0.1 * 0.01);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 159, 160), 0.1 * 0.01);
}

TEST(Schedule, CosineStartsAtThePeakAndFallsMonotonicallyTowardsZero) {
  const Schedule schedule{ScheduleShape::cosine, 0.2, 0};
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 0, 100), 0.2);
  EXPECT_NEAR(learning_rate(schedule, 50, 100), 0.1, 1e-12);
  for (int step = 1; step < 100; ++step) {
    EXPECT_LT(learning_rate(schedule, step, 100), learning_rate(schedule, step - 1, 100));
  }
  EXPECT_LT(learning_rate(schedule, 99, 100), 0.2 * 0.001);
}

TEST(Schedule, WarmupRisesLinearlyAndReachesThePeakAtItsLastUpdate) {
  const Schedule schedule{ScheduleShape::cosine, 0.4, 0.04};
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 0, 100), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 1, 100), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 3, 100), 0.4);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 4, 100), 0.4);
  EXPECT_LT(learning_rate(schedule, 5, 100), 0.4);
}

TEST(Schedule, AnUpdateOutsideThePhaseIsAnError) {
  EXPECT_THROW((void)learning_rate({}, 10, 10), Error);
  EXPECT_THROW((void)learning_rate({}, -1, 10), Error);
}

}  // namespace
}  // namespace gcg
