// Runs that branch off from the stage of another one.
#include "train/trunk.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "base/temporary_folder.h"
#include "record/run_file.h"
#include "run/miniature.h"
#include "run/same_run.h"
#include "sparse/sparse_executor.h"
#include "topology/reachability.h"

namespace gcg {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using testing::difference;
using ::testing::HasSubstr;
using testing::Interrupted;
using testing::Miniature;
using testing::TemporaryFolder;
using ::testing::ThrowsMessage;

using Given = std::map<std::string, std::string>;

/// Growth of five stages with fits from the third on; the seed is the trunk's alone.
const Given kSeed{{"disconnected", "repair"}};
const Given kGrowth{{"max-stages", "5"},   {"growth-ratio", "0.5"}, {"stop", "never"},
                    {"stage-epochs", "1"}, {"min-stages", "3"},     {"bootstrap", "0"}};

Given with(Given given, const Given& more) {
  for (const auto& [name, value] : more) {
    given[name] = value;
  }
  return given;
}

Given branch(std::int64_t stage) {
  return with(kGrowth, {{"trunk", "trunk"}, {"trunk-stage", fmt::format("{}", stage)}});
}

/// Runs in a folder of runs, under a name.
RunRecord run_as(const fs::path& runs, const std::string& name, const std::string& method,
                 const Given& given, std::uint64_t seed = 1,
                 const std::function<void(Miniature&, TrainingRun&)>& change = {}) {
  fs::create_directories(runs / name);
  Miniature miniature(method, given, make_sparse_executor);
  miniature.method->check(miniature.recipe);
  TrainingRun run = miniature.run(runs / name, seed);
  run.record.identity.name = name;
  if (change) {
    change(miniature, run);
  }
  return train(std::move(run));
}

class Trunks : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder = std::make_unique<TemporaryFolder>();
    trunk = std::make_unique<RunRecord>(run_as(runs(), "trunk", "gcg", with(kGrowth, kSeed)));
  }
  static void TearDownTestSuite() {
    folder.reset();
    trunk.reset();
  }
  static fs::path runs() { return folder->path(); }

  static std::unique_ptr<TemporaryFolder> folder;
  static std::unique_ptr<RunRecord> trunk;
};
std::unique_ptr<TemporaryFolder> Trunks::folder;
std::unique_ptr<RunRecord> Trunks::trunk;

TEST_F(Trunks, ABranchWithTheTrunksOptionsEndsWithTheTrunksBits) {
  for (const std::int64_t stage : {0, 2, 4}) {
    SCOPED_TRACE(stage);
    const RunRecord record = run_as(runs(), fmt::format("same-{}", stage), "gcg", branch(stage));
    EXPECT_EQ(difference(record, *trunk), "");
    EXPECT_EQ(record.cost.epochs, trunk->cost.epochs);
    EXPECT_THAT(
        record.warnings,
        Contains(HasSubstr(fmt::format("stages 0 to {} were trained by the trunk", stage))));
  }
}

TEST_F(Trunks, ABranchWithOtherOptionsEndsWithTheBitsOfAWholeRunWithThem) {
  for (const Given& other :
       {Given{{"final", "rewind"}},
        Given{{"extrapolator", "exponential"}, {"epsilon", "0.2"}, {"final", "none"}}}) {
    SCOPED_TRACE(other.begin()->first + " " + other.begin()->second);
    const std::string name = other.begin()->first + other.begin()->second;
    const RunRecord record = run_as(runs(), name, "gcg", with(branch(3), other));
    const RunRecord whole =
        run_as(runs(), name + "-whole", "gcg", with(with(kGrowth, kSeed), other));
    EXPECT_EQ(difference(record, whole), "");
  }
  // A last stage that is the trunk's: nothing but the end is the branch's own.
  const RunRecord end =
      run_as(runs(), "end", "gcg", with(branch(2), {{"max-stages", "3"}, {"final", "none"}}));
  const RunRecord whole =
      run_as(runs(), "end-whole", "gcg",
             with(with(kGrowth, kSeed), {{"max-stages", "3"}, {"final", "none"}}));
  EXPECT_EQ(difference(end, whole), "");
  EXPECT_EQ(end.trajectory.size(), 3U);
}

TEST_F(Trunks, AnotherGrowthRuleSharesThePastAndCountsItsCost) {
  const RunRecord record =
      run_as(runs(), "random", "gcg", with(branch(2), {{"growth-rule", "random"}}));
  ASSERT_EQ(record.stages.size(), trunk->stages.size());
  for (std::size_t s = 0; s < record.masks.size(); ++s) {
    EXPECT_EQ(record.masks[s].mask == trunk->masks[s].mask, s <= 2) << s;
  }
  double density_epochs = 0;
  for (const StageRow& row : record.stages) {
    density_epochs += row.density * static_cast<double>(row.epochs);
  }
  EXPECT_DOUBLE_EQ(record.cost.density_epochs, density_epochs);
  EXPECT_GT(record.cost.train_seconds, 0);
}

TEST_F(Trunks, ABranchCanBeATrunk) {
  run_as(runs(), "first", "gcg", branch(1));
  Given given = branch(3);
  given["trunk"] = "first";
  EXPECT_EQ(difference(run_as(runs(), "second", "gcg", given), *trunk), "");
}

TEST_F(Trunks, ABranchThatIsInterruptedEndsWithTheSameBits) {
  for (int attempt = 0;; ++attempt) {
    ASSERT_LT(attempt, 100);
    int left = 3;
    try {
      const RunRecord record =
          run_as(runs(), "broken", "gcg", branch(2), 1, [&](Miniature&, TrainingRun& run) {
            run.checkpoint_seconds = 0;
            run.progress = [&](const TrainingProgress&) {
              if (--left == 0) {
                throw Interrupted();
              }
            };
          });
      EXPECT_GT(attempt, 1);
      EXPECT_EQ(difference(record, *trunk), "");
      break;
    } catch (const Interrupted&) {
    }
  }
}

TEST_F(Trunks, FixedMaskTakesTheMaskOfTheStageOnFreshWeightsByTheWholeRecipe) {
  const RunRecord record =
      run_as(runs(), "control", "fixed_mask", {{"trunk", "trunk"}, {"trunk-stage", "3"}});
  const RunRecord by_file =
      run_as(runs(), "by-file", "fixed_mask",
             {{"mask-file", (runs() / "trunk" / kRunFileName).string()}, {"mask-stage", "3"}});
  EXPECT_EQ(record.masks.at(0).mask, trunk->masks.at(3).mask);
  EXPECT_EQ(difference(record, by_file), "");
  EXPECT_EQ(record.trajectory.size(), 2U);  // the recipe: nothing of the trunk's is counted
}

TEST_F(Trunks, AMaskWithoutAPathIsHeldToThePolicyOfTheRunThatTakesIt) {
  const Network network = Miniature("fixed_mask").network;
  const std::string table = (runs() / "table.txt").string();
  std::ofstream file(table);
  for (const Layer& layer : network.layers) {
    file << fmt::format("{} {}\n", layer.name, &layer == &network.layers.front() ? 0 : 0.2);
  }
  file.close();
  const Mask mask = run_as(runs(), "severed", "gcg",
                           {{"seed-rule", "table"},
                            {"seed-allocation-file", table},
                            {"seed-density", "0.2"},
                            {"disconnected", "warn"},
                            {"max-stages", "1"},
                            {"stage-epochs", "1"},
                            {"final", "none"}})
                        .masks.at(0)
                        .mask;
  ASSERT_EQ(mask.layers.front().count(), 0);
  const auto taken = [&](const std::string& policy) {
    return run_as(runs(), "severed-" + policy, "fixed_mask",
                  {{"trunk", "severed"}, {"trunk-stage", "0"}, {"disconnected", policy}});
  };
  for (const char* policy : {"auto", "warn"}) {
    const RunRecord record = taken(policy);
    EXPECT_THAT(record.warnings, Contains(HasSubstr("are on no input-output path")));
    EXPECT_EQ(record.masks.at(0).mask, mask);
  }
  EXPECT_THAT([&] { (void)taken("fail"); },
              ThrowsMessage<Error>(HasSubstr("has no connection left")));
  const RunRecord repaired = taken("repair");
  EXPECT_EQ(reachability(network, repaired.masks.at(0).mask).disconnected_units(), 0);
  EXPECT_GT(repaired.stages.at(0).repaired, 0);
  EXPECT_EQ(repaired.masks.at(0).mask.present(), mask.present());
}

TEST_F(Trunks, AFitThatWouldHaveStoppedBeforeTheBranchIsAWarning) {
  const RunRecord record = run_as(
      runs(), "late", "gcg",
      with(branch(4), {{"stop", "extrapolation"}, {"extrapolator", "gain"}, {"epsilon", "0.9"}}));
  bool stopped = false;
  for (std::size_t s = 1; s < 4; ++s) {
    const auto reached = [&](std::size_t i) {
      return record.stages[i].fit.outcome == Outcome::found &&
             record.stages[i].density >= record.stages[i].fit.d_star;
    };
    stopped = stopped || (reached(s - 1) && reached(s));
  }
  EXPECT_EQ(stopped, std::ranges::any_of(record.warnings, [](const std::string& warning) {
              return warning.find("growth would have stopped after stage") != std::string::npos;
            }));
  EXPECT_TRUE(stopped);  // else the case has to be made again
}

TEST_F(Trunks, ATrunkThatDoesNotFitIsAnErrorThatSaysWhatToDo) {
  const auto refused = [&](const std::string& method, const Given& given, const std::string& text,
                           std::uint64_t seed = 1,
                           const std::function<void(Miniature&, TrainingRun&)>& change = {}) {
    SCOPED_TRACE(text);
    static int number = 0;
    EXPECT_THAT(
        [&] { run_as(runs(), fmt::format("refused-{}", ++number), method, given, seed, change); },
        ThrowsMessage<Error>(HasSubstr(text)));
  };
  Given absent = branch(1);
  absent["trunk"] = "nobody";
  refused("gcg", absent, "run the trunk first, with the same --out");
  refused("fixed_mask", {{"trunk", "nobody"}}, "run the trunk first, with the same --out");
  refused("gcg", with(branch(9), {{"max-stages", "10"}}),
          "the run keeps: stage_000, stage_001, stage_002, stage_003, stage_004, stage_005");
  refused("fixed_mask", {{"trunk", "trunk"}, {"trunk-stage", "9"}}, "has no stage 9");
  refused("gcg", with(branch(5), {{"max-stages", "7"}}), "its stage 5 is no stage of growth");
  refused("gcg", branch(2), "its seed is 1, this run's is 2", 2);
  refused("fixed_mask", {{"trunk", "trunk"}}, "its seed is 1, this run's is 2", 2);
  refused("gcg", branch(2), "its data digest is", 1,
          [](Miniature& miniature, TrainingRun&) { miniature.data.digest = "other pixels"; });
  refused("gcg", branch(2), "its number of training images is 120", 1,
          [](Miniature& miniature, TrainingRun&) { miniature.recipe.validation_fraction = 0.3; });
  refused("gcg", branch(2), "its network is , this run's is vgg11", 1,
          [](Miniature&, TrainingRun& run) { run.record.identity.network = "vgg11"; });
  refused("gcg", branch(2), "its label-noise is the default, this run's is 0.2", 1,
          [](Miniature&, TrainingRun& run) {
            run.record.identity.options.push_back({"label-noise", "0.2", false});
          });
  refused(
      "gcg", branch(2), "no gradients were averaged", 1,
      [](Miniature& miniature, TrainingRun&) { miniature.options.set("growth-rule", "momentum"); });
  refused("gcg", with(branch(2), {{"max-density", "0.06"}}), "denser than --max-density 0.06");
  refused("gcg", with(branch(2), {{"max-stages", "2"}}), "at least --trunk-stage plus 1");
  Given outside = branch(2);
  outside["trunk"] = "../trunk";
  refused("gcg", outside, "is not the name of a run");
}

TEST_F(Trunks, AnOptionThatIsYoungerThanTheTrunkHasItsDefaultThere) {
  const RunRecord record = run_as(runs(), "younger", "fixed_mask", {{"trunk", "trunk"}}, 1,
                                  [](Miniature&, TrainingRun& run) {
                                    run.record.identity.options.push_back({"label-noise", "0"});
                                  });
  EXPECT_EQ(record.masks.at(0).mask, trunk->masks.at(0).mask);
}

TEST_F(Trunks, ANetworkOfAnotherWidthIsRefused) {
  Miniature miniature("gcg", branch(2), make_sparse_executor);
  RunRecord own = *trunk;
  own.network = build_network("resnet8", {{3, 32, 32}, 10, 8});
  EXPECT_THAT(
      [&] {
        (void)read_trunk(runs(), {"trunk", 2}, own);
      },
      ThrowsMessage<Error>(HasSubstr("its layers have other shapes")));
}

TEST_F(Trunks, ADamagedStageIsAnErrorAndKeepingNoStagesTakesNoSpace) {
  run_as(runs(), "damaged", "gcg", branch(2));
  const fs::path stage = runs() / "damaged" / "stages" / "stage_003.gcg";
  std::vector<std::byte> bytes = read_file(stage);
  bytes[bytes.size() / 2] ^= std::byte{1};
  write_file_atomically(stage, bytes);
  EXPECT_THAT([&] { (void)read_stage(runs() / "damaged", 3); },
              ThrowsMessage<Error>(HasSubstr("its checksum does not match its content")));
  const RunRecord lean = run_as(runs(), "lean", "gcg", branch(2), 1,
                                [](Miniature&, TrainingRun& run) { run.keep_stages = false; });
  EXPECT_FALSE(fs::exists(runs() / "lean" / "stages"));
  EXPECT_EQ(difference(lean, *trunk), "");
  EXPECT_THAT([&] { (void)read_stage(runs() / "lean", 3); },
              ThrowsMessage<Error>(HasSubstr("the run keeps: none")));
}

TEST_F(Trunks, AFileThatWasCopiedToWhereItDoesNotBelongIsRefused) {
  run_as(runs(), "mixed", "gcg", with(kGrowth, kSeed));
  run_as(runs(), "stranger", "gcg", with(kGrowth, kSeed));
  const auto stage = [](const std::string& run, int number) {
    return runs() / run / "stages" / fmt::format("stage_{:03}.gcg", number);
  };
  const auto refusal = [](std::int64_t number) {
    RunRecord own = *trunk;
    try {
      (void)read_trunk(runs(), {"mixed", number}, own);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_EQ(refusal(2), "none");
  constexpr auto replace = fs::copy_options::overwrite_existing;
  fs::copy_file(stage("mixed", 1), stage("mixed", 2), replace);
  EXPECT_THAT(refusal(2), HasSubstr("stage_002.gcg: holds the end of stage 1"));
  fs::copy_file(runs() / "mixed" / "checkpoint.gcg", stage("mixed", 4), replace);
  EXPECT_THAT(refusal(4),
              HasSubstr("stage_004.gcg: is a stage of version 3, this program reads 5"));
  fs::copy_file(stage("stranger", 3), stage("mixed", 3), replace);
  EXPECT_THAT(refusal(3),
              HasSubstr("stage_003.gcg: belongs to another run: its name is 'stranger'"));
  fs::copy_file(runs() / "stranger" / kRunFileName, runs() / "mixed" / kRunFileName, replace);
  EXPECT_THAT(refusal(0), HasSubstr("run.h5: is that of another run, stranger"));
}

TEST_F(Trunks, AStageHoldsTheStateThatItsTrainingEndedWith) {
  const Checkpoint stage = read_stage(runs() / "trunk", 2);
  EXPECT_EQ(stage.state.mask, trunk->masks.at(2).mask);
  EXPECT_EQ(stage.record.cost.epochs, 3);
  EXPECT_EQ(stage.position.phase, 2);            // before it
  EXPECT_TRUE(stage.record.trajectory.empty());  // rows are in the run file
  check_mask_invariant(trunk->network, stage.state);
  EXPECT_EQ(read_stage(runs() / "trunk", 5).state, trunk->result->state);
}

}  // namespace
}  // namespace gcg
