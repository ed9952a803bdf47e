#include "search/turn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "base/throws.h"
#include "search/paired.h"
#include "search/search.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

/// A way back of stages that own their losses; a hit is a loss below 1.
struct Way {
  std::vector<std::vector<float>> losses;
  std::vector<std::vector<bool>> hits;

  [[nodiscard]] std::vector<WayStage> stages() const {
    std::vector<WayStage> result;
    for (std::size_t i = 0; i < losses.size(); ++i) {
      result.push_back({losses[i], &hits[i]});
    }
    return result;
  }
};

Way way_of(std::vector<std::vector<float>> losses) {
  Way way{std::move(losses), {}};
  for (const std::vector<float>& stage : way.losses) {
    std::vector<bool> hits;
    std::ranges::transform(stage, std::back_inserter(hits), [](float loss) { return loss < 1; });
    way.hits.push_back(std::move(hits));
  }
  return way;
}

/// Every stage has the same loss on all of 4 images, so that differences have no noise.
Way without_noise(const std::vector<float>& means) {
  std::vector<std::vector<float>> losses;
  for (const float mean : means) {
    losses.emplace_back(4, mean);
  }
  return way_of(std::move(losses));
}

const TurnRule& rule(std::string_view name) {
  return *std::ranges::find(turn_rules(), name, &TurnRule::name);
}

TEST(Turn, TheFirstRuleIsTheLiveOne) {
  const TurnRule& live = turn_rules().front();
  const Turn one = turn_of(without_noise({5, 3, 2, 4, 2.5F, 1}).stages(), live);
  EXPECT_EQ(one.end, 4U);
  EXPECT_EQ(one.taken, 2U);
  const Turn blip = turn_of(without_noise({5, 3, 4, 2}).stages(), live);
  EXPECT_EQ(blip.end, std::nullopt);
  EXPECT_EQ(blip.taken, 3U);
}

/// On random ways without noise it ends where return_step ends, with the same stage, for every
/// length of the way.
TEST(Turn, TheLiveRuleEndsWhereTheSearchDoes) {
  const std::uint64_t seed = 20261129;
  SCOPED_TRACE(seed);
  RandomStream random(seed, "ways");
  SearchOptions options;
  options.connections = 1'000'000;
  options.peak = 1'000'000;
  options.budget = 1e9;
  int ended = 0;
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<float> means;
    std::vector<SearchStage> stages;
    std::int64_t present = options.peak;
    for (int i = 0; i < 12; ++i) {
      means.push_back(static_cast<float>(1 + random.below(6)));
      stages.push_back({i > 0, present, static_cast<double>(means.back()), 0});
      present = std::llround(0.8 * static_cast<double>(present));
      const SearchStep step = return_step(stages, options);
      const Turn turn = turn_of(without_noise(means).stages(), turn_rules().front());
      const bool pruned = step.action == SearchAction::prune;
      ASSERT_EQ(turn.end.has_value(), !pruned);
      ASSERT_EQ(turn.taken, least_loss(stages));
      if (!pruned) {
        EXPECT_EQ(step.from, turn.taken);
        ++ended;
        break;
      }
    }
  }
  EXPECT_GT(ended, 100);
}

TEST(Turn, OneAndThreeBehindEndEarlierAndLater) {
  const Way way = without_noise({5, 3, 4, 2, 3, 4, 5});
  EXPECT_EQ(turn_of(way.stages(), rule("loss, one behind")).end, 2U);
  EXPECT_EQ(turn_of(way.stages(), rule("loss, one behind")).taken, 1U);
  EXPECT_EQ(turn_of(way.stages(), rule("loss, two behind")).end, 5U);
  EXPECT_EQ(turn_of(way.stages(), rule("loss, three behind")).end, 6U);
  EXPECT_EQ(turn_of(way.stages(), rule("loss, three behind")).taken, 3U);
}

TEST(Turn, ByAccuracyCountsHits) {
  // Losses fall, hits do too.
  const Way way = way_of({{0.9F, 0.9F, 9}, {0.9F, 2, 2}, {2, 2, 0.5F}, {1, 1, 1}});
  EXPECT_EQ(turn_of(way.stages(), rule("loss, two behind")).end, std::nullopt);
  const Turn turn = turn_of(way.stages(), rule("accuracy, two behind"));
  EXPECT_EQ(turn.end, 2U);
  EXPECT_EQ(turn.taken, 0U);
}

TEST(Turn, WhatNoiseExplainsIsNotSignificantlyBehind) {
  // Worse by .05 with an error of .25 at stage 2, by .5 with no error at stage 3.
  const Way way = way_of({{2, 2, 2, 2},
                          {1, 1, 1, 1},
                          {1.5F, 0.5F, 1.6F, 0.6F},
                          {1.5F, 1.5F, 1.5F, 1.5F},
                          {1, 1, 1, 1}});
  const Turn turn = turn_of(way.stages(), rule("loss, one significantly behind"));
  EXPECT_EQ(turn.end, 3U);
  EXPECT_EQ(turn.taken, 1U);
}

TEST(Turn, TheSparsestAsGoodIsTheLastOneWithinTheNoise) {
  const Way way =
      way_of({{2, 2, 2, 2}, {1, 1, 1, 1}, {1.5F, 0.5F, 1.6F, 0.6F}, {1.5F, 1.5F, 1.5F, 1.5F}});
  const Turn turn = turn_of(way.stages(), rule("loss, two behind, sparsest as good"));
  EXPECT_EQ(turn.end, 3U);
  EXPECT_EQ(turn.taken, 2U);
}

TEST(Turn, RefusesAWayWithoutStagesOrOfOtherImages) {
  GCG_EXPECT_ERROR(turn_of({}, turn_rules().front()), HasSubstr("no stage"));
  const Way way = way_of({{1, 1}, {1, 1, 1}});
  GCG_EXPECT_ERROR(turn_of(way.stages(), turn_rules().front()), HasSubstr("samples"));
}

}  // namespace
}  // namespace gcg
