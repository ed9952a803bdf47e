#include "study/queue.h"

#include <gtest/gtest.h>

#include "base/temporary_folder.h"

namespace gcg {
namespace {

/// Jobs whose look and clock the test sets.
struct Desk {
  std::vector<Job> jobs;
  std::vector<JobFound> found;
  std::vector<int> looks;
  double now = 0;

  explicit Desk(std::vector<std::vector<std::size_t>> after)
      : found(after.size(), JobFound::open), looks(after.size()) {
    for (std::size_t j = 0; j < after.size(); ++j) {
      jobs.push_back({"job " + std::to_string(j), {"/bin/true"}, "/dev/null", after[j]});
    }
  }
  JobQueue queue() {
    return {jobs,
            [this](std::size_t j) {
              ++looks[j];
              return found[j];
            },
            [this] { return now; }};
  }
};

TEST(JobQueue, PassesWhatAnotherProcessHasAndTakesItWhenThatOneIsGone) {
  Desk desk({{}, {}});
  JobQueue queue = desk.queue();
  desk.found = {JobFound::busy, JobFound::open};
  EXPECT_EQ(queue.ready(), 1U);
  queue.start(1);
  queue.ended(1, JobState::done);
  EXPECT_EQ(queue.ready(), std::nullopt);
  EXPECT_TRUE(queue.in_other_hands());
  // It is not looked at all the time.
  EXPECT_EQ(desk.looks[0], 1);
  desk.found[0] = JobFound::open;
  EXPECT_EQ(queue.ready(), std::nullopt);
  desk.now += kLookAgain;
  EXPECT_EQ(queue.ready(), 0U);
  EXPECT_FALSE(queue.in_other_hands());
}

TEST(JobQueue, WhatOthersFinishIsDoneHere) {
  Desk desk({{}, {0}});
  JobQueue queue = desk.queue();
  desk.found = {JobFound::busy, JobFound::open};
  EXPECT_EQ(queue.ready(), std::nullopt);
  EXPECT_FALSE(queue.in_other_hands());  // one waits for it
  desk.now += kLookAgain;
  desk.found = {JobFound::done, JobFound::done};
  EXPECT_EQ(queue.ready(), std::nullopt);
  EXPECT_TRUE(queue.over());
}

TEST(JobQueue, AChainThatOthersFinishedIsDoneInOneLook) {
  Desk desk({{1}, {2}, {}});
  JobQueue queue = desk.queue();
  desk.found.assign(3, JobFound::done);
  EXPECT_EQ(queue.ready(), std::nullopt);
  EXPECT_TRUE(queue.over());
}

TEST(JobQueue, WhatFailsElsewhereFailsWhatWaitsForIt) {
  Desk desk({{}, {0}, {1}});
  JobQueue queue = desk.queue();
  desk.found[0] = JobFound::failed;
  EXPECT_EQ(queue.ready(), std::nullopt);
  EXPECT_TRUE(queue.over());
  EXPECT_EQ(queue.states(), std::vector<JobState>(3, JobState::failed));
}

TEST(JobQueue, AJobThatAnotherProcessWasFasterAtIsLookedAtLater) {
  Desk desk(std::vector<std::vector<std::size_t>>(1));
  JobQueue queue = desk.queue();
  ASSERT_EQ(queue.ready(), 0U);
  queue.start(0);
  queue.ended(0, JobState::elsewhere);
  EXPECT_EQ(queue.ready(), std::nullopt);
  desk.now += kLookAgain;
  desk.found[0] = JobFound::done;
  EXPECT_EQ(queue.ready(), std::nullopt);
  EXPECT_TRUE(queue.over());
}

}  // namespace
}  // namespace gcg
