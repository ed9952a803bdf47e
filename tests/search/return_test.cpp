#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "base/throws.h"
#include "search/walk.h"

namespace gcg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::walk;
using testing::Walk;

/// 20,000 connections; the default procedure with stages of 2 epochs out of 20.
SearchOptions defaults() {
  SearchOptions options;
  options.connections = 20000;
  options.peak = 7520;     // .376
  options.smallest = 400;  // .02
  options.budget = 10;     // half a training
  return options;
}

/// A way back from the peak with these losses; nothing is spent.
std::vector<SearchStage> way(const std::vector<double>& losses) {
  std::vector<SearchStage> stages;
  std::int64_t present = 7520;
  for (const double loss : losses) {
    stages.push_back({!stages.empty(), present, loss, 0});
    present = std::llround(0.8 * static_cast<double>(present));
  }
  return stages;
}

std::vector<std::int64_t> counts(const Walk& walked) {
  std::vector<std::int64_t> result;
  for (const SearchStage& stage : walked.stages) {
    result.push_back(stage.present);
  }
  return result;
}

TEST(Return, GrowsByTheRatioToThePeakExactlyAndReturnsByTheShare) {
  // Least at 2464 connections (.123), as in the pilot.
  const Walk walked = walk(return_step, defaults(), 1000, [](std::size_t, std::int64_t present) {
    return std::abs(std::log(static_cast<double>(present) / 2464));
  });
  EXPECT_THAT(counts(walked), ElementsAre(1000, 1400, 1960, 2744, 3842, 5379, 7520,  // growth
                                          6016, 4813, 3850, 3080, 2464, 1971, 1577));
  EXPECT_EQ(walked.last.action, SearchAction::finish);
  EXPECT_EQ(walked.last.outcome, SearchOutcome::found);
  EXPECT_EQ(walked.last.present, 2464);
  EXPECT_EQ(walked.last.from, 11U);
}

TEST(Return, StopsWhenTheLastTwoStagesLieAboveTheLeastLoss) {
  const SearchOptions options = defaults();
  EXPECT_EQ(return_step(way({1.0, 0.9, 0.8}), options).action, SearchAction::prune);
  EXPECT_EQ(return_step(way({1.0, 0.9, 0.8, 0.85}), options).action, SearchAction::prune);
  const SearchStep stop = return_step(way({1.0, 0.9, 0.8, 0.85, 0.81}), options);
  EXPECT_EQ(stop.action, SearchAction::finish);
  EXPECT_EQ(stop.outcome, SearchOutcome::found);
  EXPECT_EQ(stop.from, 2U);
  EXPECT_EQ(stop.present, way({0, 0, 0})[2].present);
}

TEST(Return, OneBlipDoesNotStopIt) {
  const std::vector<SearchStage> stages = way({1.0, 0.9, 0.95, 0.8});
  const SearchStep step = return_step(stages, defaults());
  EXPECT_EQ(step.action, SearchAction::prune);
  EXPECT_EQ(step.from, 3U);
  EXPECT_EQ(step.present, std::llround(0.8 * static_cast<double>(stages.back().present)));
}

TEST(Return, OfEqualLossesTheOneWithFewestConnectionsIsTheBest) {
  EXPECT_EQ(least_loss(way({1.0, 0.9, 0.9})), 2U);
  // Equal is not above: two stages of the same loss do not turn it.
  EXPECT_EQ(return_step(way({0.9, 0.9, 0.9}), defaults()).action, SearchAction::prune);
}

TEST(Return, ALossThatOnlyFallsEndsAtTheSmallestDensity) {
  SearchOptions options = defaults();
  options.budget = 1000;
  const Walk walked = walk(return_step, options, 7520, [](std::size_t, std::int64_t present) {
    return static_cast<double>(present);
  });
  EXPECT_EQ(walked.last.outcome, SearchOutcome::smallest);
  EXPECT_EQ(walked.last.present, walked.stages.back().present);
  EXPECT_GE(walked.last.present, options.smallest);
  EXPECT_LT(0.8 * static_cast<double>(walked.last.present), options.smallest);
}

TEST(Return, APeakWithoutAnyWayBackIsNotGrownBeyond) {
  SearchOptions options = defaults();
  options.smallest = 7000;  // above .8 of the peak: nothing can be pruned to be compared with it
  const SearchStep step = return_step(way({0.8}), options);
  EXPECT_EQ(step.action, SearchAction::finish);
  EXPECT_EQ(step.outcome, SearchOutcome::smallest);
  EXPECT_EQ(step.present, 7520);
}

TEST(Return, AtTheSmallestDensityTheBestOfTheWayBackIsTaken) {
  SearchOptions options = defaults();
  options.smallest = 4000;  // one blip, and then no room for a second one
  const SearchStep step = return_step(way({1.0, 0.8, 0.9}), options);
  EXPECT_EQ(step.outcome, SearchOutcome::smallest);
  EXPECT_EQ(step.from, 1U);
}

TEST(Return, ALossThatOnlyFallsEndsWithinASmallBudget) {
  SearchOptions options = defaults();
  options.stage_epochs = 4;
  options.budget = 6;
  const Walk walked = walk(return_step, options, 7520, [](std::size_t, std::int64_t present) {
    return static_cast<double>(present);
  });
  EXPECT_EQ(walked.last.outcome, SearchOutcome::budget);
  EXPECT_EQ(walked.last.present, walked.stages.back().present);
  EXPECT_LE(walked.cost, options.budget);
  // One more stage, paid with a final training at the best so far, would not have been within it.
  const double next = 0.8 * static_cast<double>(walked.last.present) / 20000 * 4;
  EXPECT_GT(walked.cost + next, options.budget);
}

TEST(Return, WhereThePeakIsBestGrowthTakesOneMoreStageFromItsState) {
  const SearchStep step = return_step(way({0.8, 0.85, 0.9}), defaults());
  EXPECT_EQ(step.action, SearchAction::grow);
  EXPECT_EQ(step.from, 0U);
  EXPECT_EQ(step.present, 7520 + std::llround(0.4 * 7520));
  EXPECT_EQ(step.outcome, SearchOutcome::none);
}

TEST(Return, ReturnsAtOnceFromEveryHigherPeakAndNeedsDenseAtOne) {
  SearchOptions options = defaults();
  options.budget = 1000;
  const Walk walked = walk(return_step, options, 7520, [](std::size_t, std::int64_t present) {
    return -static_cast<double>(present);
  });
  EXPECT_THAT(counts(walked), ElementsAre(7520, 6016, 4813, 10528, 8422, 6738, 14739, 11791, 9433,
                                          20000, 16000, 12800));
  EXPECT_EQ(walked.last.outcome, SearchOutcome::needs_dense);
  EXPECT_EQ(walked.last.present, 20000);
  EXPECT_EQ(walked.last.from, 9U);
}

TEST(Return, WhatIsFoundBelowAHigherPeakCountsItsOwnWayAlone) {
  // The first way back is best at its peak; after one more stage of growth the loss falls again.
  const std::vector<double> losses{0.8, 0.85, 0.9, 0.95, 0.84, 0.86, 0.87};
  const Walk walked = walk(return_step, defaults(), 7520,
                           [&](std::size_t stage, std::int64_t) { return losses.at(stage); });
  EXPECT_EQ(walked.stages.size(), losses.size());
  EXPECT_EQ(walked.last.outcome, SearchOutcome::found);
  EXPECT_EQ(walked.last.from, 4U);
}

TEST(Return, AHigherPeakThatTheBudgetDoesNotPayIsNotTried) {
  SearchOptions options = defaults();
  options.budget = 6;
  const Walk walked = walk(return_step, options, 7520, [](std::size_t, std::int64_t present) {
    return -static_cast<double>(present);
  });
  EXPECT_EQ(walked.last.outcome, SearchOutcome::budget);
  EXPECT_EQ(walked.last.from, 0U);
  EXPECT_LE(walked.cost, options.budget);
}

TEST(Return, APeakThatTheBudgetDoesNotPayIsNotReached) {
  SearchOptions options = defaults();
  options.budget = 4;
  const Walk walked = walk(return_step, options, 1000, [](std::size_t, std::int64_t present) {
    return std::abs(std::log(static_cast<double>(present) / 2464));
  });
  for (const SearchStage& stage : walked.stages) {
    EXPECT_LT(stage.present, options.peak);
  }
  EXPECT_LE(walked.cost, options.budget);
}

TEST(Return, FromDenseItIsIterativePruningUntilTheLossTurns) {
  SearchOptions options = defaults();
  options.peak = options.connections;
  options.budget = 20;
  const Walk walked = walk(return_step, options, 20000, [](std::size_t, std::int64_t present) {
    return std::abs(std::log(static_cast<double>(present) / 8192));
  });
  EXPECT_THAT(counts(walked), ElementsAre(20000, 16000, 12800, 10240, 8192, 6554, 5243));
  EXPECT_EQ(walked.last.outcome, SearchOutcome::found);
  EXPECT_EQ(walked.last.present, 8192);
}

TEST(Return, ALossThatIsNoNumberIsAnError) {
  GCG_EXPECT_ERROR(return_step(way({1.0, std::numeric_limits<double>::quiet_NaN()}), defaults()),
                   HasSubstr("validation loss of stage 1 is nan"));
  GCG_EXPECT_ERROR(return_step({}, defaults()), HasSubstr("no stage has ended"));
}

SearchOptions random_options(RandomStream& random) {
  SearchOptions options;
  options.connections = 100 + static_cast<std::int64_t>(random.below(100000));
  options.growth_ratio = 0.05 + 2 * random.uniform();
  options.return_share = 0.02 + 0.9 * random.uniform();
  const auto all = static_cast<double>(options.connections);
  options.peak = 1 + static_cast<std::int64_t>(random.uniform() * (all - 1));
  options.smallest = 1 + static_cast<std::int64_t>(random.uniform() * 0.2 * all);
  options.stage_epochs = 1 + static_cast<std::int64_t>(random.below(8));
  options.final_epochs = static_cast<std::int64_t>(random.below(30));
  options.budget = 0.2 + 30 * random.uniform();
  return options;
}

// Whatever the options and the losses: where the first stage and a final training at its density
// are within the budget, so is everything, every count is exact, and a search ends.
TEST(Return, NeverCostsMoreThanItsBudget) {
  constexpr std::uint64_t kSeed = 97;
  RandomStream random(kSeed, "return-options");
  int found = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    const SearchOptions options = random_options(random);
    const auto first = 1 + static_cast<std::int64_t>(random.uniform() * 0.3 *
                                                     static_cast<double>(options.connections));
    const double needed =
        static_cast<double>(first * (options.stage_epochs + options.final_epochs)) /
        static_cast<double>(options.connections);
    if (needed > options.budget) {
      continue;
    }
    SCOPED_TRACE(::testing::Message() << "seed " << kSeed << ", trial " << trial);
    const double slope = random.normal();
    const double noise = random.uniform();
    RandomStream losses(kSeed, "return-losses", static_cast<std::uint64_t>(trial));
    const Walk walked = walk(return_step, options, first, [&](std::size_t, std::int64_t present) {
      return slope * std::log(static_cast<double>(present)) + noise * losses.normal();
    });
    ASSERT_EQ(walked.last.action, SearchAction::finish);
    EXPECT_NE(walked.last.outcome, SearchOutcome::none);
    EXPECT_LE(walked.cost, options.budget * (1 + 1e-12));
    ASSERT_LT(walked.last.from, walked.stages.size());
    EXPECT_EQ(walked.last.present, walked.stages[walked.last.from].present);
    for (std::size_t i = 1; i < walked.stages.size(); ++i) {
      const SearchStage& stage = walked.stages[i];
      const std::int64_t before = walked.stages[i - 1].present;
      if (stage.returning) {
        const auto kept = std::llround((1 - options.return_share) * static_cast<double>(before));
        EXPECT_EQ(stage.present, std::min<std::int64_t>(kept, before - 1));
        EXPECT_GE(stage.present, options.smallest);
      } else {
        EXPECT_LE(stage.present, options.connections);
      }
      const auto so_far = std::span(walked.stages).first(i);
      EXPECT_NE(return_step(so_far, options).action, SearchAction::finish);
    }
    found += walked.last.outcome == SearchOutcome::found ? 1 : 0;
  }
  EXPECT_GT(found, 100);  // the trials are not all cut short
}

}  // namespace
}  // namespace gcg
