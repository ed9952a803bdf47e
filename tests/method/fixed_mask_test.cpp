#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/temporary_folder.h"
#include "base/throws.h"
#include "method/play.h"
#include "record/export.h"
#include "record/run_file.h"
#include "topology/allocation.h"
#include "topology/reachability.h"

namespace gcg {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::play;
using testing::Play;
using testing::table_file;

double flat(double /*density*/) { return 0.5; }

TEST(FixedMask, TrainsInCyclesLikeAGrowthPathOrOnceByTheRecipe) {
  const Play cycles = play("fixed_mask", {{"cycles", "3"}, {"stage-epochs", "4"}}, flat);
  ASSERT_EQ(cycles.stages.size(), 3U);
  const Play growth =
      play("gcg", {{"stop", "never"}, {"max-stages", "3"}, {"stage-epochs", "4"}}, flat);
  for (std::size_t stage = 0; stage < 3; ++stage) {
    EXPECT_EQ(cycles.stages[stage].phase.epochs, growth.stages[stage].phase.epochs);
    EXPECT_EQ(cycles.stages[stage].phase.schedule.peak, growth.stages[stage].phase.schedule.peak);
    EXPECT_EQ(cycles.stages[stage].phase.schedule.warmup,
              growth.stages[stage].phase.schedule.warmup);
  }
  const Play once = play("fixed_mask", {}, flat);
  ASSERT_EQ(once.stages.size(), 1U);
  EXPECT_EQ(once.stages[0].phase.epochs, once.recipe.epochs);
}

TEST(FixedMask, TheFirstStageIsTheGrowthPathsOwn) {
  const Play cycles = play("fixed_mask", {{"cycles", "2"}}, flat);
  const Play growth = play("gcg", {{"stop", "never"}, {"max-stages", "2"}}, flat);
  EXPECT_EQ(cycles.begun[0], growth.begun[0]);
}

TEST(Allocations, AreHandedOnWithTheMaskThatTheyMade) {
  const Play fixed =
      play("fixed_mask", {{"cycles", "2"}, {"seed-rule", "erk"}, {"seed-density", "0.2"}}, flat);
  const Allocation erk = allocate("erk", fixed.network, present_for_density(fixed.network, 0.2));
  for (const Stage& stage : fixed.stages) {
    EXPECT_EQ(stage.mask.allocation.wanted, erk.wanted);
    EXPECT_EQ(stage.mask.allocation.counts, erk.counts);
  }
  const Play growth =
      play("gcg", {{"stop", "never"}, {"max-stages", "2"}, {"quotas", "uniform"}}, flat);
  ASSERT_EQ(growth.stages.size(), 3U);
  EXPECT_TRUE(growth.stages[0].mask.allocation.counts.empty());  // phew has none
  const std::int64_t present = growth.begun[1].mask.present();
  EXPECT_EQ(growth.stages[1].mask.allocation.counts,
            allocate("uniform", growth.network, present).counts);
  EXPECT_EQ(growth.stages[2].mask.allocation.counts,
            growth.stages[1].mask.allocation.counts);  // final
  const Play global = play("gcg", {{"stop", "never"}, {"max-stages", "2"}}, flat);
  EXPECT_TRUE(global.stages[1].mask.allocation.counts.empty());
}

TEST(FixedMask, TheMaskNeverChanges) {
  const Play result =
      play("fixed_mask", {{"cycles", "4"}, {"seed-rule", "erk"}, {"seed-density", "0.2"}}, flat);
  for (const TrainingState& state : result.begun) {
    EXPECT_EQ(state.mask, result.begun[0].mask);
  }
  EXPECT_EQ(result.begun[0].mask.present(), present_for_density(result.network, 0.2));
}

TEST(FixedMask, TakesTheMaskOfAStageFromARunFileOnFreshWeights) {
  const testing::TemporaryFolder folder;
  const Play growth =
      play("gcg", {{"stop", "never"}, {"max-stages", "3"}, {"final", "none"}}, flat);
  const std::string path = (folder.path() / "run.h5").string();
  write_run_file(path, growth.record);
  const Play fixed = play("fixed_mask", {{"mask-file", path}, {"mask-stage", "1"}}, flat);
  EXPECT_EQ(fixed.begun[0], initial_state(fixed.network, growth.begun[1].mask, 1));
  const Play last = play("fixed_mask", {{"mask-file", path}}, flat);
  EXPECT_EQ(last.begun[0].mask, growth.begun[2].mask);
}

TEST(FixedMask, AMaskOfAnotherNetworkIsAnErrorThatNamesTheFile) {
  const testing::TemporaryFolder folder;
  const Network other = build_network("resnet8", {{3, 16, 16}, 10, 5});
  const Play growth =
      play("gcg", {{"stop", "never"}, {"max-stages", "1"}, {"final", "none"}}, flat, 1, other);
  const std::string path = (folder.path() / "run.h5").string();
  write_run_file(path, growth.record);
  EXPECT_THAT(
      [&] {
        (void)play("fixed_mask", {{"mask-file", path}}, flat);
      },
      ::testing::Throws<Error>(
          ::testing::Property("what", &Error::what, ::testing::HasSubstr("run.h5"))));
}

/// A run file of one stage whose mask is this one.
std::string mask_file(const testing::TemporaryFolder& folder, const Mask& mask) {
  Play growth = play("gcg", {{"stop", "never"}, {"max-stages", "1"}, {"final", "none"}}, flat);
  growth.record.masks.back().mask = mask;
  const std::string path = (folder.path() / "run.h5").string();
  write_run_file(path, growth.record);
  return path;
}

TEST(FixedMask, AMaskWithoutAPathIsHeldToThePolicyWhereverItComesFrom) {
  const testing::TemporaryFolder folder;
  const Network network = testing::small_network();
  Mask mask(network, true);
  mask.layers.front() = LayerMask(mask.layers.front().size(), false);
  const std::string archive = (folder.path() / "mask.npz").string();
  write_file_atomically(archive, export_content(network, initial_state(network, mask, 1)));
  const std::vector<testing::Options> sources{
      {{"mask-file", mask_file(folder, mask)}},
      {{"mask-file", archive}},
      {{"seed-rule", "table"},
       {"seed-allocation-file", table_file(folder, 0, 1)},
       {"seed-density", fmt::format("{}", mask.density())}}};
  for (const testing::Options& source : sources) {  // --trunk: tests/run/trunk_test.cpp
    const auto with = [&](const char* policy, const char* shuffle) {
      testing::Options options{{"disconnected", policy}, {"shuffle", shuffle}};
      options.insert(source.begin(), source.end());
      return play("fixed_mask", options, flat);
    };
    for (const char* shuffle : {"off", "on"}) {
      SCOPED_TRACE(source.begin()->second + ", shuffle " + shuffle);
      for (const char* policy : {"auto", "warn"}) {
        const Play warned = with(policy, shuffle);
        EXPECT_THAT(warned.record.warnings, Contains(HasSubstr("are on no input-output path")));
        EXPECT_EQ(warned.begun[0].mask, mask);
      }
      GCG_EXPECT_ERROR(with("fail", shuffle), HasSubstr("has no connection left"));
      const Play repaired = with("repair", shuffle);
      EXPECT_EQ(reachability(network, repaired.begun[0].mask).disconnected_units(), 0);
      EXPECT_GT(repaired.record.stages.front().repaired, 0);
      EXPECT_EQ(repaired.begun[0].mask.present(), mask.present());
      EXPECT_EQ(repaired.begun[0], initial_state(network, repaired.begun[0].mask, 1));
    }
  }
}

TEST(FixedMask, AMaskWithoutAnyConnectionIsRefusedUnderEveryPolicy) {
  const testing::TemporaryFolder folder;
  const std::string path = mask_file(folder, Mask(testing::small_network(), false));
  for (const char* policy : {"auto", "warn", "repair", "fail"}) {
    GCG_EXPECT_ERROR(
        (void)play("fixed_mask", {{"mask-file", path}, {"disconnected", policy}}, flat),
        HasSubstr("has no connection at all"));
  }
}

TEST(FixedMask, ATableWhoseDensitiesAreNotTheOneAskedForIsScaledAndTheRecordSaysSo) {
  const testing::TemporaryFolder folder;
  const auto with = [&](double density) {
    return play("fixed_mask",
                {{"seed-rule", "table"},
                 {"seed-allocation-file", table_file(folder, density, density)},
                 {"seed-density", "0.2"},
                 {"cycles", "2"}},
                flat);
  };
  const auto scaled = HasSubstr("were scaled to the density asked for");
  EXPECT_THAT(with(0.2).record.warnings, Not(Contains(scaled)));
  const Play result = with(0.3);
  EXPECT_THAT(result.record.warnings, Contains(scaled).Times(1));
  const std::int64_t present = present_for_density(result.network, 0.2);
  EXPECT_EQ(result.begun[0].mask.present(), present);
  EXPECT_EQ(result.stages[0].mask.allocation.counts,
            allocate("uniform", result.network, present).counts);
}

TEST(FixedMask, ControlsShuffleWithinLayersAndDrawOtherWeights) {
  const Play plain = play("fixed_mask", {{"seed-density", "0.2"}}, flat);
  const Play shuffled = play(
      "fixed_mask", {{"seed-density", "0.2"}, {"shuffle", "on"}, {"disconnected", "warn"}}, flat);
  EXPECT_EQ(shuffled.begun[0].mask.counts(), plain.begun[0].mask.counts());
  EXPECT_NE(shuffled.begun[0].mask, plain.begun[0].mask);
  EXPECT_EQ(shuffled.begun[0], initial_state(plain.network, shuffled.begun[0].mask, 1));
  const Play other = play("fixed_mask", {{"seed-density", "0.2"}, {"reinitialise", "on"}}, flat);
  EXPECT_EQ(other.begun[0].mask, plain.begun[0].mask);
  EXPECT_NE(other.begun[0].values.weights, plain.begun[0].values.weights);
}

TEST(FixedMask, TakesEverySeedRuleAtTheExactCount) {
  for (const SeedRule& rule : seed_rule_table()) {
    if (rule.name == "dense" || rule.name == "table") {
      continue;  // these ask for more: density 1, a file
    }
    SCOPED_TRACE(rule.name);
    const Play result =
        play("fixed_mask", {{"seed-rule", std::string(rule.name)}, {"seed-density", "0.2"}}, flat);
    EXPECT_EQ(result.begun[0].mask.present(), present_for_density(result.network, 0.2));
    check_mask_invariant(result.network, result.begun[0]);
    EXPECT_EQ(result.stages[0].mask.scores.empty(), !rule.scored);
    EXPECT_EQ(result.record.cost.scoring_flops > 0, rule.name == "synflow");
  }
}

}  // namespace
}  // namespace gcg
