// What the ranks of a run compare.
#include "train/agree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "backend/random_cases.h"
#include "backend/thread_ranks.h"
#include "base/throws.h"
#include "graph/networks.h"

namespace gcg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Compares a state with that of three ranks, the last of which has changed its own.
void compare(const std::function<void(Checkpoint&)>& change) {
  testing::ThreadRanks(3).run([&](Ranks& ranks) {
    Checkpoint now;
    now.record.network = build_network("resnet8", {{3, 8, 8}, 10, 4});
    now.state = random_state(now.record.network, 0.5, 1);
    if (ranks.rank() == 2) {
      change(now);
    }
    check_same_state(&ranks, now, "at the start");
  });
}

TEST(Agreement, EqualStatesPass) {
  EXPECT_NO_THROW(compare([](Checkpoint&) {}));
}

TEST(Agreement, ADifferenceIsNamedByRankAndLayer) {
  const auto nudge = [](float& value) { value = std::nextafter(value, 2 * value + 1); };
  GCG_EXPECT_ERROR(compare([&](Checkpoint& now) { nudge(now.state.values.weights[1].back()); }),
                   AllOf(HasSubstr("rank 2: at the start"), HasSubstr("the weights of layer "),
                         HasSubstr(build_network("resnet8", {{3, 8, 8}, 10, 4}).layers[1].name)));
  GCG_EXPECT_ERROR(compare([](Checkpoint& now) {
                     LayerMask& mask = now.state.mask.layers[3];
                     mask.test(0) ? mask.reset(0) : mask.set(0);
                   }),
                   AllOf(HasSubstr("rank 2"), HasSubstr("the mask of layer "),
                         HasSubstr(build_network("resnet8", {{3, 8, 8}, 10, 4}).layers[3].name)));
  GCG_EXPECT_ERROR(
      compare([&](Checkpoint& now) { nudge(now.state.slots.front().values.weights[0].front()); }),
      HasSubstr("the weights of layer "));
  GCG_EXPECT_ERROR(compare([&](Checkpoint& now) { nudge(now.state.values.norms[2].variance[1]); }),
                   HasSubstr("normalisation "));
  GCG_EXPECT_ERROR(compare([](Checkpoint& now) { now.position.batch_in_epoch = 3; }),
                   HasSubstr("the course of the run"));
}

TEST(Agreement, ARankWithoutTheCheckpointIsNamed) {
  // As on a host whose folder of runs is its own.
  GCG_EXPECT_ERROR(compare([](Checkpoint& now) { now.state = {}; }),
                   AllOf(HasSubstr("rank 2: at the start, it does not stand where rank 0 does"),
                         HasSubstr("a file system that all of them see")));
}

TEST(Agreement, FactsThatDifferAreNamedWithBothValues) {
  const auto facts = [](const std::string& of_rank_1) {
    testing::ThreadRanks(3).run([&](Ranks& ranks) {
      check_same_facts(&ranks, "--seed: 1\n" + (ranks.rank() == 1 ? of_rank_1 : "--width: 4\n"));
    });
  };
  EXPECT_NO_THROW(facts("--width: 4\n"));
  GCG_EXPECT_ERROR(facts("--width: 16\n"), HasSubstr("rank 1: --width is 16, on rank 0 4"));
  GCG_EXPECT_ERROR(facts(""), HasSubstr("rank 1: --width is missing, on rank 0 4"));
  GCG_EXPECT_ERROR(facts("--width: 4\n--beta: 2\n"),
                   HasSubstr("rank 1: --beta is 2, on rank 0 missing"));
}

TEST(Agreement, AnyRankStopsAllAndRankZeroSaves) {
  testing::ThreadRanks(3).run([](Ranks& ranks) {
    const bool first = ranks.rank() == 0;
    EXPECT_FALSE(agreed(&ranks, {false, !first, !first}).save);
    const Wishes all = agreed(&ranks, {ranks.rank() == 2, first, first});
    EXPECT_TRUE(all.stop);
    EXPECT_TRUE(all.save);
    EXPECT_TRUE(all.slow);
  });
  EXPECT_TRUE(agreed(nullptr, {false, true, false}).save);
}

}  // namespace
}  // namespace gcg
