// The searches for a density that is paid with a share of a dense training, on invented losses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/throws.h"
#include "method/play.h"
#include "method/search_record.h"
#include "score/score_table.h"

namespace gcg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::play;
using testing::Play;
using Options = std::map<std::string, std::string>;
using Accuracy = std::function<double(double)>;

/// Best at this density, worse by a constant for every octave away from it.
Accuracy best_at(double density) {
  return [=](double d) { return 0.9 - 0.1 * std::abs(std::log2(d / density)); };
}

std::vector<std::int64_t> counts(const Play& result) {
  std::vector<std::int64_t> present;
  for (const StageRow& row : result.record.stages) {
    present.push_back(row.present);
  }
  return present;
}

std::size_t peak_of(const Play& result) {
  std::size_t peak = 0;
  while (result.record.stages[peak + 1].phase == Role::stage) {
    ++peak;
  }
  return peak;
}

double cost(const Play& result) { return result.record.stages.back().density_epochs; }

TEST(GrowReturn, GrowsToThePeakExactlyReturnsByTheShareAndTrainsTheBestToTheEnd) {
  const Play result = play("grow_return", {}, best_at(0.15));
  const auto all = static_cast<double>(result.network.connections());
  const std::size_t peak = peak_of(result);
  std::int64_t present = present_for_density(result.network, 0.05);
  const std::int64_t limit = present_for_density(result.network, 0.376);
  for (std::size_t stage = 0; stage <= peak; ++stage) {
    EXPECT_EQ(result.record.stages[stage].present, present);
    present =
        std::min<std::int64_t>(limit, present + std::llround(0.4 * static_cast<double>(present)));
  }
  EXPECT_EQ(result.record.stages[peak].present, limit);
  present = limit;
  std::size_t best = peak;
  const std::size_t last = result.record.stages.size() - 2;
  for (std::size_t stage = peak; stage <= last; ++stage) {
    EXPECT_EQ(result.record.stages[stage].present, present);
    EXPECT_EQ(result.record.stages[stage].phase, stage == peak ? Role::stage : Role::returning);
    present = std::llround(0.8 * static_cast<double>(present));
    best = result.record.stages[stage].validation_loss < result.record.stages[best].validation_loss
               ? stage
               : best;
  }
  EXPECT_EQ(best + 2, last);
  EXPECT_EQ(result.record.stages[last].decision, "stop: the loss turned");
  const StageRow& final_row = result.record.stages.back();
  EXPECT_EQ(final_row.phase, Role::final);
  EXPECT_EQ(final_row.present, result.record.stages[best].present);
  EXPECT_EQ(final_row.epochs, 10);  // half of the recipe
  EXPECT_EQ(final_row.decision, "done");
  const SearchResult& search = result.record.search;
  EXPECT_EQ(search.outcome, SearchOutcome::found);
  EXPECT_EQ(search.stage, result.record.stages[best].stage);
  EXPECT_EQ(search.density, static_cast<double>(final_row.present) / all);
  EXPECT_LE(search.low, search.density);
  EXPECT_GE(search.high, search.density);
  EXPECT_LE(cost(result), 0.5 * 20);
}

TEST(GrowReturn, RestoresTheBestStateBitForBit) {
  const Play result = play("grow_return", {}, best_at(0.15));
  const auto best = static_cast<std::size_t>(result.record.search.stage);
  EXPECT_EQ(result.begun.back(), result.ended[best]);
  EXPECT_FALSE(result.memory.kept.has_value());  // not carried through the final training
}

TEST(GrowReturn, AStageOfTheWayBackStartsWithEmptySlotsAndTheLargestWeights) {
  const Play result = play("grow_return", {}, best_at(0.15));
  const std::size_t first = peak_of(result) + 1;
  EXPECT_TRUE(result.begun[first].slots.empty());
  check_mask_invariant(result.network, result.begun[first]);
  Mask both = result.ended[first - 1].mask;
  unite(both, result.begun[first].mask);
  EXPECT_EQ(both, result.ended[first - 1].mask);  // nothing is added
  float smallest_kept = 1e9F;
  float largest_gone = 0;
  for (std::size_t l = 0; l < both.layers.size(); ++l) {
    result.ended[first - 1].mask.layers[l].for_each_present([&](std::int64_t i) {
      const float w =
          std::abs(result.ended[first - 1].values.weights[l][static_cast<std::size_t>(i)]);
      if (result.begun[first].mask.layers[l].test(i)) {
        smallest_kept = std::min(smallest_kept, w);
      } else {
        largest_gone = std::max(largest_gone, w);
      }
    });
  }
  EXPECT_LE(largest_gone, smallest_kept);
  EXPECT_EQ(result.record.stages[first].scores, "magnitude: no images, float32");
}

TEST(GrowReturn, WhereThePeakIsBestItGrowsOnFromThePeakAndReturnsAgain) {
  const Play result = play("grow_return", {{"budget-share", "2"}}, best_at(0.5));
  const std::size_t peak = peak_of(result);
  EXPECT_EQ(result.record.stages[peak + 2].decision, "grow");
  const StageRow& higher = result.record.stages[peak + 3];
  EXPECT_EQ(higher.phase, Role::stage);
  const std::int64_t present = result.record.stages[peak].present;
  EXPECT_EQ(higher.present, present + std::llround(0.4 * static_cast<double>(present)));
  // From the peak's state: its weights are there again, the new ones are 0.
  const TrainingState& before = result.ended[peak];
  const TrainingState& after = result.begun[peak + 3];
  for (std::size_t l = 0; l < before.mask.layers.size(); ++l) {
    for (std::int64_t i = 0; i < before.mask.layers[l].size(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (before.mask.layers[l].test(i)) {
        ASSERT_TRUE(after.mask.layers[l].test(i));
        ASSERT_EQ(after.values.weights[l][at], before.values.weights[l][at]);
      }
    }
  }
  EXPECT_EQ(result.record.search.outcome, SearchOutcome::found);
  EXPECT_NEAR(std::log2(result.record.search.density / 0.5), 0, 0.35);
}

TEST(GrowReturn, NeedsDenseWhereTheLossIsLeastAtOne) {
  const Play result = play("grow_return", {{"budget-share", "5"}}, [](double d) { return d / 2; });
  EXPECT_EQ(result.record.search.outcome, SearchOutcome::needs_dense);
  EXPECT_EQ(result.record.search.density, 1.0);
  EXPECT_EQ(result.record.stages.back().density, 1.0);
  EXPECT_EQ(result.record.stages[result.record.stages.size() - 2].decision,
            "stop: the loss is least at density 1");
}

TEST(GrowReturn, TheBudgetEndsIt) {
  const Play result =
      play("grow_return", {{"budget-share", "0.28"}}, [](double d) { return d / 2; });
  EXPECT_EQ(result.record.search.outcome, SearchOutcome::budget);
  EXPECT_LE(cost(result), 0.28 * 20);
}

TEST(GrowReturn, StartsFromAStaticMaskWhereTheSeedHasThePeaksDensity) {
  const Play result =
      play("grow_return", {{"seed-rule", "erk"}, {"seed-density", "0.376"}}, best_at(0.15));
  EXPECT_EQ(peak_of(result), 0U);
  EXPECT_EQ(result.record.stages[0].present, present_for_density(result.network, 0.376));
  EXPECT_EQ(result.record.search.outcome, SearchOutcome::found);
}

TEST(GrowReturn, FromADenseSeedItIsIterativePruningUntilTheLossTurns) {
  const Play result = play(
      "grow_return",
      {{"seed-rule", "dense"}, {"seed-density", "1"}, {"peak-density", "1"}, {"budget-share", "2"}},
      best_at(0.3));
  EXPECT_EQ(peak_of(result), 0U);
  std::int64_t present = result.network.connections();
  for (std::size_t stage = 0; stage + 1 < result.record.stages.size(); ++stage) {
    EXPECT_EQ(result.record.stages[stage].present, present);
    present = std::llround(0.8 * static_cast<double>(present));
  }
  EXPECT_EQ(result.record.search.outcome, SearchOutcome::found);
  EXPECT_NEAR(std::log2(result.record.search.density / 0.3), 0, 0.17);
}

TEST(GrowReturn, EveryStageOfTheWayBackIsComparedWithTheBest) {
  const Play result = play("grow_return", {}, best_at(0.15));
  const std::size_t peak = peak_of(result);
  for (std::size_t stage = 0; stage < result.record.stages.size(); ++stage) {
    const StageComparison& above = result.record.stages[stage].above_best;
    if (stage < peak || stage + 1 == result.record.stages.size()) {
      EXPECT_TRUE(std::isnan(above.loss)) << stage;
      continue;
    }
    const auto best = static_cast<std::size_t>(result.record.search.stage);
    EXPECT_NEAR(
        above.loss,
        result.record.stages[stage].validation_loss - result.record.stages[best].validation_loss,
        1e-6);
    EXPECT_GE(above.loss_error, 0);
    EXPECT_EQ(above.loss == 0, stage == best);
  }
}

TEST(GrowReturn, AReplayOfItsRecordMakesTheSameDecisions) {
  for (const double density : {0.05, 0.1, 0.3, 0.5, 0.9}) {
    for (const char* budget : {"0.3", "0.5", "3"}) {
      SCOPED_TRACE(::testing::Message() << "best at " << density << ", budget " << budget);
      const Play result = play("grow_return", {{"budget-share", budget}}, best_at(density));
      const std::vector<SearchStage> stages = search_stages(result.record);
      ASSERT_EQ(stages.size() + 1, result.record.stages.size());
      SearchOptions options;
      options.connections = result.network.connections();
      options.peak = present_for_density(result.network, 0.376);
      options.smallest = present_for_density(result.network, 0.02);
      options.budget = 20 * std::stod(budget);
      for (std::size_t i = 0; i < stages.size(); ++i) {
        const SearchStep step = return_step(std::span(stages).first(i + 1), options);
        EXPECT_EQ(step.present, result.record.stages[i + 1].present);
        const Role role = result.record.stages[i + 1].phase;
        EXPECT_EQ(step.action, role == Role::stage       ? SearchAction::grow
                               : role == Role::returning ? SearchAction::prune
                                                         : SearchAction::finish);
        EXPECT_EQ(step.outcome,
                  role == Role::final ? result.record.search.outcome : SearchOutcome::none);
      }
    }
  }
}

TEST(GrowReturn, PlannedEpochsAreAtLeastThoseOfAnyRun) {
  for (const double density : {0.02, 0.1, 0.3, 0.5, 0.9, 4.0}) {
    for (const char* budget : {"0.3", "0.5", "3"}) {
      const Options options{{"budget-share", budget}};
      const Play result = play("grow_return", options, best_at(density));
      std::int64_t epochs = 0;
      for (const Stage& stage : result.stages) {
        epochs += stage.phase.epochs;
      }
      const auto method = make_method("grow_return");
      OptionList list;
      method->add_options(list);
      list.set("budget-share", budget);
      EXPECT_GE(method->planned_epochs(result.recipe, result.network), epochs)
          << "best at " << density << ", budget " << budget;
    }
  }
}

TEST(GrowReturn, PrunesByEveryScoreThatRanksPresentConnections) {
  for (const ScoreRule& rule : score_table()) {
    if (!rule.prunes) {
      continue;
    }
    SCOPED_TRACE(rule.name);
    const Play result =
        play("grow_return", {{"prune-score", std::string(rule.name)}}, best_at(0.25));
    const std::size_t first = peak_of(result) + 1;
    EXPECT_THAT(result.record.stages[first].scores, HasSubstr(std::string(rule.name) + ": "));
    EXPECT_EQ(result.record.search.outcome, SearchOutcome::found);
  }
}

TEST(GrowReturn, RegrowthMovesConnectionsAndKeepsTheCount) {
  for (const char* rule : {"path", "gradient", "random"}) {
    SCOPED_TRACE(rule);
    const Play result =
        play("grow_return", {{"regrow", rule}, {"regrow-share", "0.2"}}, best_at(0.15));
    const Play plain = play("grow_return", {}, best_at(0.15));
    EXPECT_EQ(counts(result), counts(plain));
    const std::size_t first = peak_of(result) + 1;
    EXPECT_EQ(result.record.stages[first].grown,
              std::llround(0.2 * static_cast<double>(result.record.stages[first].present)));
    check_mask_invariant(result.network, result.begun[first]);
  }
}

TEST(GrowReturn, RefusesOptionsThatContradictEachOther) {
  const auto refused = [](const Options& options) {
    return [=] { (void)play("grow_return", options, best_at(0.15)); };
  };
  EXPECT_THAT(refused({{"peak-density", "0.04"}}),
              ::testing::ThrowsMessage<UsageError>(HasSubstr("below --seed-density")));
  EXPECT_THAT(refused({{"smallest-density", "0.5"}}),
              ::testing::ThrowsMessage<UsageError>(HasSubstr("no way back")));
  EXPECT_THAT(refused({{"smallest-density", "0.35"}}),
              ::testing::ThrowsMessage<UsageError>(HasSubstr("whose first step is to 0.3008")));
  EXPECT_THAT(refused({{"budget-share", "0.02"}}),
              ::testing::ThrowsMessage<UsageError>(HasSubstr("--budget-share")));
}

TEST(GrowReturn, AWayBackToFewerConnectionsThanLayersIsRefusedBeforeAnyTraining) {
  NetworkBuilder net("tiny", {1, 2, 2});
  std::int32_t x = net.global_average_pool("pool", net.convolution("conv", 0, 6, {1, 1, 1, 0}));
  x = net.relu("relu", net.linear("hidden", x, 20));
  net.linear("classifier", x, 10);
  const Network network = net.finish();
  const auto falls = [](double density) { return 0.9 - density / 2; };
  bool trained = false;
  GCG_EXPECT_ERROR(play("grow_return",
                        {{"smallest-density", "0.005"},
                         {"seed-rule", "dense"},
                         {"seed-density", "1"},
                         {"peak-density", "1"},
                         {"return-share", "0.5"},
                         {"budget-share", "100"}},
                        falls, 1, network, {}, [&] { trained = true; }),
                   HasSubstr("--smallest-density 0.005: 2 connections cannot serve the 3 layers"));
  EXPECT_FALSE(trained);
}

TEST(GrowBudget, AReplayOfItsRecordMakesTheSameDecisions) {
  for (const char* budget : {"0.2", "0.35", "0.5", "3"}) {
    SCOPED_TRACE(budget);
    const Play result = play("grow_budget", {{"budget-share", budget}}, best_at(0.15));
    const std::vector<SearchStage> stages = search_stages(result.record);
    ASSERT_EQ(stages.size() + 1, result.record.stages.size());
    SearchOptions options;
    options.connections = result.network.connections();
    options.final_epochs = result.record.stages.back().epochs;
    options.budget = 20 * std::stod(budget);
    for (std::size_t i = 0; i < stages.size(); ++i) {
      const SearchStep step = landing_step(std::span(stages).first(i + 1), options);
      EXPECT_EQ(step.present, result.record.stages[i + 1].present);
      EXPECT_EQ(step.action, result.record.stages[i + 1].phase == Role::stage
                                 ? SearchAction::grow
                                 : SearchAction::finish);
    }
  }
}

TEST(GrowBudget, LandsWhereTheRestOfTheBudgetPaysTheFinalTraining) {
  for (const char* budget : {"0.2", "0.35", "0.5"}) {
    SCOPED_TRACE(budget);
    const Play result = play("grow_budget", {{"budget-share", budget}}, best_at(0.15));
    const double paid = 20 * std::stod(budget);
    EXPECT_LE(cost(result), paid * (1 + 1e-12));
    EXPECT_GT(cost(result) + 10.0 / static_cast<double>(result.network.connections()), paid);
    EXPECT_EQ(result.record.stages.back().phase, Role::final);
    EXPECT_EQ(result.record.stages.back().epochs, 10);
    EXPECT_EQ(result.record.search.outcome, SearchOutcome::budget);
    EXPECT_EQ(result.record.search.density, result.record.stages.back().density);
    EXPECT_TRUE(std::isnan(result.record.search.low));
    const std::size_t last = result.record.stages.size() - 2;
    EXPECT_EQ(result.record.stages.back().grown,
              result.record.stages.back().present - result.record.stages[last].present);
    for (std::size_t stage = 0; stage <= last; ++stage) {
      EXPECT_EQ(result.record.stages[stage].phase, Role::stage);
    }
  }
}

TEST(GrowBudget, PlansWhatItDoes) {
  const Play result = play("grow_budget", {{"budget-share", "0.5"}}, best_at(0.15));
  const auto method = make_method("grow_budget");
  OptionList list;
  method->add_options(list);
  const std::vector<PlannedPart> course = method->planned_course(result.recipe, result.network);
  ASSERT_EQ(course.size(), result.record.stages.size());
  for (std::size_t stage = 0; stage < course.size(); ++stage) {
    EXPECT_DOUBLE_EQ(course[stage].density, result.record.stages[stage].density);
    EXPECT_EQ(course[stage].epochs, static_cast<double>(result.record.stages[stage].epochs));
  }
}

}  // namespace
}  // namespace gcg
