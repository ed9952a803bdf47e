#include "growth/rank.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "backend/slots.h"
#include "base/throws.h"
#include "graph/networks.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

constexpr double kNone = -std::numeric_limits<double>::infinity();

/// Layers of 4 x 3 = 12, 3 x 1 = 3 and 1 x 2 = 2 connections.
struct Ranked : ::testing::Test {
  Network network = build_network("mlp", {{4, 1, 1}, 2, 3});
  Mask all{network, true};
  RandomStream stream{1, "rank"};
  Scores scores{{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {5.5, kNone, 20}, {-1, -2}}};

  static std::vector<std::int64_t> chosen(const LayerMask& layer) {
    std::vector<std::int64_t> result;
    layer.for_each_present([&](std::int64_t i) { result.push_back(i); });
    return result;
  }
};

using Places = std::vector<std::int64_t>;

TEST_F(Ranked, TheLargestAndTheSmallestOfAllLayersTogether) {
  const Mask largest = largest_scores(network, all, scores, 3, stream);
  EXPECT_EQ(chosen(largest.layers[0]), (Places{10, 11}));
  EXPECT_EQ(chosen(largest.layers[1]), (Places{2}));
  const Mask smallest = smallest_scores(network, all, scores, 4, stream);
  EXPECT_EQ(chosen(smallest.layers[0]), (Places{0}));
  EXPECT_EQ(chosen(smallest.layers[1]), (Places{1}));
  EXPECT_EQ(chosen(smallest.layers[2]), (Places{0, 1}));
}

TEST_F(Ranked, ANumberPerLayerOrOnlyCandidates) {
  const Mask some = largest_scores(network, all, scores, {1, 2, 0}, stream);
  EXPECT_EQ(chosen(some.layers[0]), (Places{11}));
  EXPECT_EQ(chosen(some.layers[1]), (Places{0, 2}));
  EXPECT_EQ(some.layers[2].count(), 0);
  Mask candidates(network, false);
  candidates.layers[0].set(3);
  candidates.layers[0].set(5);
  EXPECT_EQ(chosen(smallest_scores(network, candidates, scores, 1, stream).layers[0]), (Places{3}));
}

TEST_F(Ranked, EqualScoresAtTheEdgeAreDrawnFairly) {
  const Scores equal{{std::vector<double>(12, 1.0), {2, 0, 0}, {0, 0}}};
  std::vector<int> counts(12, 0);
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    const Mask mask = largest_scores(network, all, equal, 5, RandomStream(seed, "ties"));
    EXPECT_TRUE(mask.layers[1].test(0));
    EXPECT_EQ(mask.layers[0].count(), 4);
    for (const std::int64_t i : chosen(mask.layers[0])) {
      ++counts[static_cast<std::size_t>(i)];
    }
  }
  for (const int count : counts) {
    EXPECT_NEAR(count, 200, 60);  // 5 standard deviations
  }
  EXPECT_EQ(largest_scores(network, all, equal, 5, RandomStream(3, "ties")),
            largest_scores(network, all, equal, 5, RandomStream(3, "ties")));
}

// The layers' choices are independent: more of one layer changes nothing in another.
TEST_F(Ranked, LayersAreIndependent) {
  const Scores equal{{std::vector<double>(12, 1.0), {0, 0, 0}, {0, 0}}};
  const Mask one = largest_scores(network, all, equal, {1, 1, 1}, stream);
  const Mask more = largest_scores(network, all, equal, {7, 1, 1}, stream);
  EXPECT_EQ(one.layers[1], more.layers[1]);
  EXPECT_EQ(one.layers[2], more.layers[2]);
}

TEST_F(Ranked, ImpossibleRequestsNameLayerAndNumber) {
  GCG_EXPECT_ERROR(largest_scores(network, all, scores, 18, stream), HasSubstr("18 of 17"));
  GCG_EXPECT_ERROR(smallest_scores(network, all, scores, {1, 4, 0}, stream),
                   HasSubstr("mlp: fc2: 4 of 3"));
  scores.log_values[2][1] = std::numeric_limits<double>::quiet_NaN();
  GCG_EXPECT_ERROR(largest_scores(network, all, scores, 1, stream),
                   HasSubstr("mlp: fc3: the score of connection 1 is NaN"));
  scores.log_values.pop_back();
  GCG_EXPECT_ERROR(largest_scores(network, all, scores, 1, stream),
                   HasSubstr("scores of 2 layers"));
}

TEST_F(Ranked, PruningSaysOrRepairsALayerThatWouldLoseAll) {
  const auto kept = [&](DisconnectedPolicy policy) {
    return prune(network, all, scores, 6, policy, stream);
  };
  GCG_EXPECT_ERROR(
      kept(DisconnectedPolicy::fail),
      HasSubstr("mlp: fc3: has no connection left of 2 (1 of 3 layers; 6 connections"));
  const Pruned warned = kept(DisconnectedPolicy::warn);
  EXPECT_THAT(warned.warning, HasSubstr("fc3: has no connection left"));
  EXPECT_EQ(warned.mask, largest_scores(network, all, scores, 6, stream));
  const Pruned repaired = kept(DisconnectedPolicy::repair);
  EXPECT_EQ(repaired.repaired, 1);
  EXPECT_THAT(repaired.warning, HasSubstr("fc3: has no connection left"));
  EXPECT_EQ(repaired.mask.present(), 6);
  EXPECT_EQ(chosen(repaired.mask.layers[0]), (Places{8, 9, 10, 11}));  // 7 makes room
  EXPECT_EQ(chosen(repaired.mask.layers[1]), (Places{2}));
  EXPECT_EQ(chosen(repaired.mask.layers[2]), (Places{0}));
  GCG_EXPECT_ERROR(prune(network, all, scores, 2, DisconnectedPolicy::repair, stream),
                   HasSubstr("2 connections cannot serve 3 layers"));
  EXPECT_EQ(prune(network, all, scores, 3, DisconnectedPolicy::repair, stream).mask.counts(),
            (Places{1, 1, 1}));
}

TEST_F(Ranked, ALayerThatHasNoConnectionsLosesNoneByPruning) {
  Mask without_last = all;
  without_last.layers[2] = LayerMask(all.layers[2].size(), false);
  for (const auto policy :
       {DisconnectedPolicy::fail, DisconnectedPolicy::warn, DisconnectedPolicy::repair}) {
    const Pruned pruned = prune(network, without_last, scores, 6, policy, stream);
    EXPECT_EQ(pruned.mask, largest_scores(network, without_last, scores, 6, stream));
    EXPECT_EQ(pruned.warning, "");
  }
}

TEST_F(Ranked, RemovedConnectionsLeaveZeroBits) {
  TrainingState state = initial_state(network, all, 1);
  state.slots = empty_slots(network, find_optimiser("sgd"));
  state.slots[0].values.weights[0][4] = 1;
  Mask removed(network, false);
  removed.layers[0].set(4);
  remove_connections(network, state, removed);
  check_mask_invariant(network, state);
  EXPECT_EQ(state.mask, without(all, removed));
  GCG_EXPECT_ERROR(remove_connections(network, state, removed),
                   HasSubstr("fc1: connection 4 is absent already"));
}

TEST_F(Ranked, AbsentIsTheComplement) {
  Mask mask = largest_scores(network, all, scores, 5, stream);
  const Mask rest = absent(network, mask);
  EXPECT_EQ(rest.present(), 12);
  EXPECT_EQ(jaccard(mask, rest), 0);
  unite(mask, rest);
  EXPECT_EQ(mask, all);
}

}  // namespace
}  // namespace gcg
