#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <fstream>

#include "base/error.h"
#include "base/throws.h"
#include "extrapolate/replay.h"
#include "method/growth_rule.h"
#include "method/joint_record.h"
#include "method/play.h"
#include "topology/allocation.h"

namespace gcg {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Options;
using testing::play;
using testing::Play;
using testing::table_file;

/// Rises from chance to 0.9 with its middle at density `middle`.
std::function<double(double)> logistic(double middle, double steepness = 3) {
  return [=](double density) {
    return 0.1 + 0.8 / (1 + std::exp(-steepness * (std::log(density) - std::log(middle))));
  };
}

TEST(Gcg, StagesGrowByTheRatioExactly) {
  const Play result =
      play("gcg", {{"stop", "never"}, {"growth-ratio", "0.4"}, {"max-stages", "6"}}, logistic(0.1));
  ASSERT_EQ(result.record.stages.size(), 7U);  // six stages and the final training
  std::int64_t present = present_for_density(result.network, 0.05);
  for (int stage = 0; stage < 6; ++stage) {
    EXPECT_EQ(result.record.stages[stage].present, present);
    present += std::llround(0.4 * static_cast<double>(present));
  }
}

// Path scores are zero where no connection alone makes a path.
TEST(Growth, ByPathsFromASeedTooSparseForItIsRefusedBeforeAnyTraining) {
  std::map<std::string, int> refused;
  int grown = 0;
  for (const std::string method : {"gcg", "grow_return", "grow_budget", "grow_reallocate"}) {
    for (const char* density : {"0.001", "0.01", "0.05"}) {
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        SCOPED_TRACE(fmt::format("{} {} {}", method, density, seed));
        Options options{{"seed-rule", "random"}, {"disconnected", "warn"}};
        options[method == "grow_reallocate" ? "start" : "seed-density"] = density;
        if (method == "gcg") {
          options.insert({{"stop", "never"}, {"max-stages", "2"}, {"repair", "off"}});
        } else if (density != std::string("0.001")) {
          continue;  // later growth has paths only if the new weights have been trained
        }
        bool trained = false;
        try {
          (void)play(method, options, logistic(0.1), seed, testing::small_network(), {},
                     [&trained] { trained = true; });
          ++grown;
        } catch (const Error& error) {
          EXPECT_FALSE(trained) << error.what();
          ++refused[method];
        }
      }
    }
  }
  EXPECT_EQ(refused.size(), 4U);
  EXPECT_GT(grown, 0);
}

TEST(Gcg, StopsAtTheDensityFromWhichMoreConnectionsDoNotPay) {
  const double middle = 0.1;
  const Play result = play("gcg", {{"epsilon", "0.01"}}, logistic(middle));
  const StageRow& last = result.record.stages[result.record.stages.size() - 2];
  ASSERT_EQ(last.decision, "stop: reached d*");
  // The curve's own d*: accuracy at 1 less epsilon.
  const double target = logistic(middle)(1) - 0.01;
  const double odds = (target - 0.1) / (0.9 - target);
  const double d_star = middle * std::pow(odds, 1.0 / 3);
  EXPECT_NEAR(last.fit.d_star, d_star, 0.01 * d_star);
  EXPECT_GE(last.density, d_star);
  // Two consecutive fits: the stage before was the first at or above d*, or there was no fit
  // before.
  const StageRow& before = result.record.stages[result.record.stages.size() - 3];
  EXPECT_GE(before.density, d_star);
  EXPECT_LT(before.density / 1.25, d_star * 1.01);
}

TEST(Gcg, ACurveThatStillRisesGrowsToTheLargestDensity) {
  const Play result = play("gcg", {}, logistic(0.8, 2));
  const StageRow& last = result.record.stages[result.record.stages.size() - 2];
  EXPECT_EQ(last.density, 1.0);
  EXPECT_EQ(last.decision, "stop: largest density");
}

TEST(Gcg, TheLastStageIsCutToTheLargestDensityExactly) {
  const Play result =
      play("gcg", {{"stop", "never"}, {"max-density", "0.12"}, {"final", "none"}}, logistic(0.1));
  EXPECT_EQ(result.record.stages.back().present, present_for_density(result.network, 0.12));
  EXPECT_EQ(result.record.stages.back().decision, "stop: largest density");
}

TEST(Gcg, HoldsEveryDensityForTheStagesAskedFor) {
  const Play result =
      play("gcg", {{"stop", "never"}, {"hold-stages", "1"}, {"max-stages", "6"}, {"final", "none"}},
           logistic(0.1));
  const std::vector<StageRow>& stages = result.record.stages;
  ASSERT_EQ(stages.size(), 6U);
  for (std::size_t s = 0; s < 6; s += 2) {
    EXPECT_EQ(stages[s].decision, "hold");
    EXPECT_EQ(stages[s + 1].present, stages[s].present);
    EXPECT_EQ(stages[s + 1].grown, 0);
    EXPECT_EQ(result.begun[s + 1].mask, result.ended[s].mask);
    EXPECT_EQ(result.begun[s + 1].values, result.ended[s].values);
  }
  EXPECT_EQ(stages[1].decision, "grow");
  EXPECT_EQ(stages[2].present,
            stages[1].present + std::llround(0.25 * static_cast<double>(stages[1].present)));
}

TEST(Gcg, AHeldDensityIsOnePointOfTheCurve) {
  const Options options{{"epsilon", "0.01"}, {"final", "none"}};
  const Play plain = play("gcg", options, logistic(0.1));
  Options held = options;
  held["hold-stages"] = "1";
  const Play twice = play("gcg", held, logistic(0.1));
  ASSERT_EQ(plain.record.stages.back().decision, "stop: reached d*");
  EXPECT_EQ(twice.record.stages.size(), 2 * plain.record.stages.size());
  EXPECT_EQ(twice.record.stages.back().decision, "stop: reached d*");
  EXPECT_EQ(twice.record.stages.back().fit.d_star, plain.record.stages.back().fit.d_star);
}

// The fit over density and time is a report beside the one that growth stops by.
TEST(Gcg, TheJointFitIsRecordedAfterEveryStageAndFollowsFromTheRecord) {
  ExtrapolationOptions own;
  own.epsilon = 0.05;
  own.chance = 0.1;
  own.seed = 1;
  Play result;
  for (const char* final : {"continue", "none"}) {
    SCOPED_TRACE(final);
    result = play("gcg",
                  {{"stop", "never"},
                   {"epsilon", "0.05"},
                   {"max-stages", "12"},
                   {"hold-stages", "1"},
                   {"final", final}},
                  logistic(0.1));
    EXPECT_EQ(result.record.stages[1].joint.outcome, Outcome::too_few_stages);
    for (std::size_t s = 2; s < 12; ++s) {
      // For the final training's epochs; where there is none, for as many as growth has had.
      const double epochs =
          std::string_view(final) == "none" ? 2.0 * static_cast<double>(s + 1) : 20;
      const JointFit& live = result.record.stages[s].joint;
      const JointFit again = joint_fit(result.record, s, own, {}, epochs);
      EXPECT_EQ(live.outcome, again.outcome) << s;
      EXPECT_EQ(live.parameters, again.parameters) << s;
      EXPECT_EQ(live.note, again.note) << s;
      EXPECT_GT(again.own_noise, 0) << s;
    }
  }
  const std::vector<StageRow>& stages = result.record.stages;
  const Play other = play("gcg",
                          {{"stop", "never"},
                           {"epsilon", "0.05"},
                           {"max-stages", "12"},
                           {"hold-stages", "1"},
                           {"final", "none"},
                           {"joint-priors", "gamma=0.5:0.01"}},
                          logistic(0.1));
  EXPECT_NEAR(other.record.stages.back().joint.parameters[4], 0.5, 0.05);
  EXPECT_EQ(other.record.stages.back().fit.d_star, stages.back().fit.d_star);
}

TEST(Gcg, RefusesPriorsOfTheJointFitThatAreNone) {
  GCG_EXPECT_ERROR(play("gcg", {{"joint-priors", "gamma=0.1"}}, logistic(0.1)),
                   HasSubstr("'gamma=0.1' is no prior"));
}

TEST(Gcg, FewerThanTheLeastStagesAreNotFitted) {
  const Play result =
      play("gcg", {{"stop", "never"}, {"max-stages", "6"}, {"final", "none"}}, logistic(0.08));
  for (int stage = 0; stage < 4; ++stage) {
    EXPECT_EQ(result.record.stages[stage].fit.outcome, Outcome::too_few_stages);
  }
  EXPECT_NE(result.record.stages[4].fit.outcome, Outcome::too_few_stages);
}

TEST(Gcg, GrowthKeepsOldWeightsAndSlotsAndStartsNewOnesAtZero) {
  const Play result =
      play("gcg", {{"stop", "never"}, {"max-stages", "2"}, {"final", "none"}, {"repair", "off"}},
           logistic(0.1));
  const TrainingState& before = result.begun[0];
  const TrainingState& after = result.begun[1];
  check_mask_invariant(result.network, after);
  for (std::size_t l = 0; l < result.network.layers.size(); ++l) {
    for (std::int64_t i = 0; i < after.mask.layers[l].size(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (before.mask.layers[l].test(i)) {
        EXPECT_TRUE(after.mask.layers[l].test(i));
        EXPECT_EQ(after.values.weights[l][at], before.values.weights[l][at] + 0.01F);
        EXPECT_EQ(after.slots[0].values.weights[l][at], 0.5F);
      } else {
        EXPECT_EQ(after.values.weights[l][at], 0.0F);
        EXPECT_EQ(after.slots[0].values.weights[l][at], 0.0F);
      }
    }
  }
}

TEST(Gcg, FinalTrainingContinuesOrRewindsEveryWeightToItsInitialValue) {
  const std::map<std::string, std::string> options{{"stop", "never"}, {"max-stages", "3"}};
  const Play kept = play("gcg", options, logistic(0.1));
  EXPECT_EQ(kept.stages.back().phase.role, Role::final);
  EXPECT_EQ(kept.stages.back().phase.epochs, kept.recipe.epochs);
  ASSERT_EQ(kept.begun.back().slots.size(), 1U);
  EXPECT_NE(kept.begun.back().slots[0].values, zero_slots(kept.network));
  auto rewinding = options;
  rewinding["final"] = "rewind";
  const Play rewound = play("gcg", rewinding, logistic(0.1));
  EXPECT_EQ(rewound.begun.back(), initial_state(rewound.network, rewound.begun.back().mask, 1));
}

TEST(Gcg, StageEpochsAreATenthOfTheRecipeAndAtLeastTwo) {
  EXPECT_EQ(
      play("gcg", {{"max-stages", "1"}, {"stop", "never"}}, logistic(0.1)).stages[0].phase.epochs,
      2);
  EXPECT_EQ(
      play("gcg", {{"max-stages", "1"}, {"stop", "never"}, {"stage-epochs", "7"}}, logistic(0.1))
          .stages[0]
          .phase.epochs,
      7);
}

TEST(Gcg, ASeedDenserThanTheLargestDensityIsAnError) {
  EXPECT_THROW((void)play("gcg", {{"max-density", "0.01"}}, logistic(0.1)), UsageError);
}

TEST(Gcg, PlannedEpochsAreWhatAnUnstoppedRunTakes) {
  const auto method = make_method("gcg");
  OptionList list;
  method->add_options(list);
  list.set("stop", "never");
  const Play result = play("gcg", {{"stop", "never"}}, logistic(0.1));
  std::int64_t epochs = 0;
  for (const Stage& stage : result.stages) {
    epochs += stage.phase.epochs;
  }
  EXPECT_EQ(method->planned_epochs(result.recipe, result.network), epochs);
  const std::vector<PlannedPart> course = method->planned_course(result.recipe, result.network);
  ASSERT_EQ(course.size(), result.record.stages.size());
  for (std::size_t stage = 0; stage < course.size(); ++stage) {
    EXPECT_DOUBLE_EQ(course[stage].density, result.record.stages[stage].density);
    EXPECT_EQ(course[stage].epochs, static_cast<double>(result.stages[stage].phase.epochs));
  }
}

struct RuleCase {
  std::string rule, selection, quotas;
};

void PrintTo(const RuleCase& rule, std::ostream* out) {
  *out << rule.rule << " " << rule.selection << " " << rule.quotas;
}

class GcgRules : public ::testing::TestWithParam<RuleCase> {};

TEST_P(GcgRules, CountsAreExactMasksOnlyGrowAndSeedsDecide) {
  const RuleCase& rule = GetParam();
  const std::map<std::string, std::string> options{
      {"stop", "never"},          {"max-stages", "4"},           {"final", "none"},
      {"growth-rule", rule.rule}, {"selection", rule.selection}, {"quotas", rule.quotas}};
  const Play first = play("gcg", options, logistic(0.1), 1);
  const Play again = play("gcg", options, logistic(0.1), 1);
  const Play other = play("gcg", options, logistic(0.1), 2);
  std::int64_t present = present_for_density(first.network, 0.05);
  for (std::size_t stage = 0; stage < 4; ++stage) {
    EXPECT_EQ(first.begun[stage].mask.present(), present);
    EXPECT_EQ(first.stages[stage].mask.grown,
              stage == 0 ? 0 : present - first.begun[stage - 1].mask.present());
    check_mask_invariant(first.network, first.begun[stage]);
    EXPECT_EQ(first.begun[stage].mask, again.begun[stage].mask);
    EXPECT_FALSE(first.begun[stage].mask == other.begun[stage].mask);
    if (stage > 0) {
      Mask both = first.begun[stage - 1].mask;
      unite(both, first.begun[stage].mask);
      EXPECT_EQ(both, first.begun[stage].mask);
    }
    present += std::llround(0.25 * static_cast<double>(present));
  }
}

std::vector<RuleCase> rule_cases() {
  std::vector<RuleCase> cases;
  for (const std::string& rule : growth_rule_names()) {
    for (const char* selection : {"sampled", "greedy"}) {
      for (const char* quotas : {"global", "erk", "uniform", "current", "path"}) {
        cases.push_back({rule, selection, quotas});
      }
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(AllRules, GcgRules, ::testing::ValuesIn(rule_cases()),
                         [](const auto& rule_case) {
                           const RuleCase& rule = rule_case.param;
                           return rule.rule + "_" + rule.selection + "_" + rule.quotas;
                         });

TEST(Gcg, QuotasOfATableAreScaledToEveryStageAndTheRecordSaysSoOnce) {
  const testing::TemporaryFolder folder;
  const Options options{{"stop", "never"},
                        {"max-stages", "4"},
                        {"final", "none"},
                        {"growth-ratio", "0.5"},
                        {"quotas", "table"}};
  const auto with = [&](const std::string& table, Options more = {}) {
    more.insert(options.begin(), options.end());
    more["allocation-file"] = table;
    return play("gcg", more, logistic(0.1));
  };
  const auto scaled = HasSubstr("were scaled to the density asked for");
  const std::string table = table_file(folder, 1, 0.1);
  const Play result = with(table);
  EXPECT_THAT(result.record.warnings, Contains(scaled).Times(1));
  for (std::size_t stage = 1; stage < 4; ++stage) {
    const std::int64_t present = result.begun[stage].mask.present();
    EXPECT_EQ(result.stages[stage].mask.allocation.counts,
              read_allocation(table, result.network, present).counts);
  }
  // Of a table with the density of the only stage that grows there is nothing to say.
  const double density = result.begun[1].mask.density();
  const Play fitting = with(table_file(folder, density, density), {{"max-stages", "2"}});
  EXPECT_EQ(fitting.begun[1].mask.density(), density);
  EXPECT_THAT(fitting.record.warnings, Not(Contains(scaled)));
  for (const char* method : {"grow_return", "grow_budget"}) {
    const Play search =
        play(method, {{"quotas", "table"}, {"allocation-file", table}}, logistic(0.1));
    EXPECT_THAT(search.record.warnings, Contains(scaled).Times(1)) << method;
  }
}

TEST(Gcg, ATableThatQuotasCannotFollowIsRefusedBeforeAnyTraining) {
  const testing::TemporaryFolder folder;
  bool trained = false;
  const auto with = [&](const std::string& method, const std::string& table, Options more = {}) {
    more.insert({{"quotas", "table"}, {"allocation-file", table}});
    return play(method, more, logistic(0.1), 1, testing::small_network(), {},
                [&trained] { trained = true; });
  };
  const std::string nonsense = folder / "nonsense.txt";
  std::ofstream(nonsense) << "stem.conv half\n";
  for (const char* method : {"gcg", "grow_return", "grow_budget"}) {
    GCG_EXPECT_ERROR(with(method, nonsense), HasSubstr("'half' is not a number"));
  }
  GCG_EXPECT_ERROR(with("gcg", table_file(folder, 1, 0), {{"stop", "never"}}),
                   HasSubstr("fit no part with a positive share"));
  EXPECT_FALSE(trained);
}

TEST(Gcg, AReplayOfItsTrajectoryMakesTheSameFitsAndStopsAtTheSameStage) {
  for (const char* extrapolator : {"logistic", "power", "exponential", "gain"}) {
    for (const double middle : {0.05, 0.2, 0.8}) {
      SCOPED_TRACE(extrapolator);
      const Play live = play("gcg",
                             {{"epsilon", "0.02"},
                              {"extrapolator", extrapolator},
                              {"growth-ratio", "0.5"},
                              {"bootstrap", "20"},
                              {"final", "none"}},
                             logistic(middle), 7);
      std::vector<CurvePoint> points;
      for (const StageRow& stage : live.record.stages) {
        points.push_back({stage.density, stage.validation_accuracy, 100000});
      }
      ExtrapolationOptions options;
      options.epsilon = 0.02;
      options.extrapolator = extrapolator;
      options.bootstrap = 20;
      options.seed = 7;
      const Replay again = replay(points, options, 1);
      ASSERT_EQ(again.fits.size(), points.size());
      for (std::size_t i = 0; i < points.size(); ++i) {
        const Extrapolation& fit = live.record.stages[i].fit;
        EXPECT_EQ(again.fits[i].outcome, fit.outcome) << i;
        EXPECT_EQ(again.fits[i].parameters, fit.parameters) << i;
        const auto bits = [](double value) { return std::bit_cast<std::uint64_t>(value); };
        EXPECT_EQ(bits(again.fits[i].d_star), bits(fit.d_star)) << i;
        EXPECT_EQ(bits(again.fits[i].d_low), bits(fit.d_low)) << i;
        EXPECT_EQ(bits(again.fits[i].d_high), bits(fit.d_high)) << i;
      }
      const bool early = live.record.stages.back().decision == "stop: reached d*";
      EXPECT_EQ(again.stop, std::ssize(points) - 1);
      EXPECT_EQ(early || points.back().density == 1, true);
      EXPECT_EQ(points.back().density < 1, early && again.reason == StopReason::reached_d_star);
    }
  }
}

}  // namespace
}  // namespace gcg
