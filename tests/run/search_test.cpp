// Searches for a density in real training: growth, the way back, a higher peak and the final
// training, broken off in each of them. Validation losses follow a script, so that the course is
// known; everything else is trained.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/temporary_folder.h"
#include "base/throws.h"
#include "method/search_record.h"
#include "record/checkpoint.h"
#include "record/run_file.h"
#include "run/miniature.h"
#include "run/same_run.h"
#include "sparse/sparse_executor.h"

namespace gcg {
namespace {

using testing::CheckedExecutor;
using testing::difference;
using ::testing::HasSubstr;
using testing::Interrupted;
using testing::Miniature;
using testing::started_until_it_ends;
using testing::TemporaryFolder;
using Options = std::map<std::string, std::string>;

/// Losses of one image are its true ones plus what the density is away from the best one, in
/// octaves.
class Scripted final : public CheckedExecutor {
 public:
  Scripted(Executor& inner, double best) : CheckedExecutor(inner), best_(best) {}
  BatchSums evaluate(const Batch& batch, const PerSample& each) override {
    BatchSums sums = CheckedExecutor::evaluate(batch, each);
    const double away = 100 * std::abs(std::log2(read().mask.density() / best_));
    sums.loss += away * static_cast<double>(batch.size());
    for (float& loss : each.losses) {
      loss += static_cast<float>(away);
    }
    return sums;
  }

 private:
  double best_;
};

const Options kShort{{"stage-epochs", "1"},        {"seed-density", "0.2"},
                     {"peak-density", "0.35"},     {"growth-ratio", "0.5"},
                     {"smallest-density", "0.02"}, {"budget-share", "20"},
                     {"disconnected", "repair"}};

const Options kLanding{{"stage-epochs", "1"},   {"seed-density", "0.2"},
                       {"growth-ratio", "0.5"}, {"budget-share", "1.2"},
                       {"final-share", "1"},    {"disconnected", "repair"}};

struct Interruption {
  int batches = 0;    ///< after so many calls of progress; 0: never
  int decisions = 0;  ///< after so many decisions, before they are saved; 0: never
};

/// The whole run, started again after every interruption.
RunRecord search(const std::filesystem::path& folder, double best, const Options& options,
                 const Interruption& interruption = {}, const std::string& method = "grow_return") {
  std::set<std::string> said;
  return started_until_it_ends(interruption.batches, [&](const auto& progress) {
    Miniature made(method, options, [](const Network& network, std::int64_t threads) {
      return make_sparse_executor(network, threads);
    });
    Scripted scripted(*made.executor, best);
    TrainingRun run{made.network, made.data, made.recipe, *made.method, scripted};
    run.seed = 1;
    run.folder = folder;
    run.record.identity.name = folder.filename().string();
    run.record.identity.hash = "hash";
    run.record.identity.seed = 1;
    run.checkpoint_seconds = interruption.batches > 0 ? 0 : 300;
    run.progress = progress;
    run.say = [&](const std::string& line) {
      if (interruption.decisions > 0 && line.starts_with("stage") && said.insert(line).second &&
          std::ssize(said) % interruption.decisions == 0) {
        throw Interrupted();
      }
    };
    return train(std::move(run));
  });
}

std::vector<Role> roles(const RunRecord& record) {
  std::vector<Role> all;
  for (const StageRow& row : record.stages) {
    all.push_back(row.phase);
  }
  return all;
}

// .2, .3, .35 | .28, .224: the peak is best, growth goes on | .525, .42, .336, .269: .42 is best.
TEST(Search, GoesThroughBothWaysAndAHigherPeakInRealTraining) {
  const TemporaryFolder folder;
  const RunRecord record = search(folder.path(), 0.42, kShort);
  const Role up = Role::stage;
  const Role down = Role::returning;
  EXPECT_THAT(roles(record),
              ::testing::ElementsAre(up, up, up, down, down, up, down, down, down, Role::final));
  EXPECT_EQ(record.search.outcome, SearchOutcome::found);
  EXPECT_EQ(record.search.stage, 6);
  EXPECT_EQ(record.stages.back().present, record.stages[6].present);
  EXPECT_EQ(record.result->state.mask, record.masks[6].mask);
}

TEST(Search, BrokenOffInEveryPartEndsWithTheSameBits) {
  const TemporaryFolder whole;
  const RunRecord expected = search(whole.path(), 0.42, kShort);
  for (const Interruption& interruption :
       {Interruption{3, 0}, Interruption{7, 0}, Interruption{0, 1}, Interruption{5, 2}}) {
    SCOPED_TRACE(::testing::Message()
                 << interruption.batches << " batches, " << interruption.decisions << " decisions");
    const TemporaryFolder broken;
    const RunRecord record = search(broken.path(), 0.42, kShort, interruption);
    EXPECT_EQ(difference(record, expected), "");
  }
}

TEST(Search, TheLandingBrokenOffEndsWithTheSameBits) {
  const TemporaryFolder whole;
  const TemporaryFolder broken;
  const RunRecord expected = search(whole.path(), 0.42, kLanding, {}, "grow_budget");
  EXPECT_EQ(expected.search.outcome, SearchOutcome::budget);
  EXPECT_LE(expected.cost.density_epochs, 2.4 * (1 + 1e-12));
  EXPECT_GT(expected.cost.density_epochs, 2.4 - 2.0 / 4000);
  EXPECT_EQ(difference(search(broken.path(), 0.42, kLanding, {3, 1}, "grow_budget"), expected), "");
}

TEST(Search, TheRestoredStateIsThatOfTheBestStageBitForBit) {
  const TemporaryFolder folder;
  const RunRecord record = search(folder.path(), 0.42, kShort);
  // What the final training began with is the first thing in the checkpoint of its beginning; the
  // stage's own state is kept beside.
  const Checkpoint best = read_stage(folder.path(), record.search.stage);
  const Checkpoint last_way = read_stage(folder.path(), 8);
  EXPECT_EQ(best.state, *last_way.memory.kept);
}

TEST(Search, ThePredictionsInTheRunFileGiveTheLossesOfItsStages) {
  const TemporaryFolder folder;
  const RunRecord record = search(folder.path(), 0.42, kShort);
  const RunRecord read = read_run_file(folder / kRunFileName);
  ASSERT_EQ(read.predictions.stages.size(), record.stages.size());
  const auto images = static_cast<double>(read.predictions.images.size());
  EXPECT_EQ(images, static_cast<double>(record.identity.validation_images));
  for (std::size_t s = 0; s < record.stages.size(); ++s) {
    const StagePredictions& stage = read.predictions.stages[s];
    EXPECT_EQ(stage.stage, record.stages[s].stage);
    double loss = 0;
    double hits = 0;
    for (std::size_t i = 0; i < stage.losses.size(); ++i) {
      loss += static_cast<double>(stage.losses[i]);
      hits += stage.hits[i] ? 1 : 0;
    }
    EXPECT_NEAR(loss / images, record.stages[s].validation_loss, 1e-4);
    EXPECT_DOUBLE_EQ(hits / images, record.stages[s].validation_accuracy);
  }
  // A replay needs no more than the file.
  const std::vector<SearchStage> stages = search_stages(read);
  EXPECT_EQ(stages.size() + 1, read.stages.size());
  EXPECT_EQ(stages.back().spent, read.stages[stages.size() - 1].density_epochs);
  const RecordedWay way = recorded_way(read);
  const Turn turn = turn_of(way.stages, turn_rules().front());
  ASSERT_EQ(read.search.outcome, SearchOutcome::found);
  EXPECT_EQ(turn.end, way.stages.size() - 1);
  EXPECT_EQ(read.stages[way.first + turn.taken].stage, read.search.stage);
}

TEST(Search, ABranchWithTheTrunksOptionsEndsWithItsBits) {
  // From a stage of growth, from the first way back, from the last one.
  for (const char* stage : {"1", "4", "7"}) {
    SCOPED_TRACE(stage);
    const TemporaryFolder runs;
    std::filesystem::create_directory(runs / "trunk");
    std::filesystem::create_directory(runs / "branch");
    const RunRecord trunk = search(runs / "trunk", 0.42, kShort);
    Options options = kShort;
    options.erase("seed-density");
    options.erase("disconnected");
    options["trunk"] = "trunk";
    options["trunk-stage"] = stage;
    const RunRecord branch = search(runs / "branch", 0.42, options, {5, 1});
    EXPECT_EQ(difference(branch, trunk), "");
  }
}

TEST(Search, ABranchThatLandsOnItsBudgetEndsWithTheTrunksBits) {
  const TemporaryFolder runs;
  std::filesystem::create_directory(runs / "trunk");
  const RunRecord trunk = search(runs / "trunk", 0.42, kLanding, {}, "grow_budget");
  ASSERT_GE(std::ranges::count(roles(trunk), Role::stage), 2);
  for (const char* stage : {"0", "1"}) {
    SCOPED_TRACE(stage);
    const std::string name = fmt::format("branch-{}", stage);
    std::filesystem::create_directory(runs / name);
    Options options = kLanding;
    options.erase("seed-density");
    options.erase("disconnected");
    options["trunk"] = "trunk";
    options["trunk-stage"] = stage;
    const RunRecord branch = search(runs / name, 0.42, options, {5, 1}, "grow_budget");
    EXPECT_EQ(difference(branch, trunk), "");
  }
}

TEST(Search, RefusesATrunkThatIsNoPathOrBeyondTheBudget) {
  const TemporaryFolder runs;
  std::filesystem::create_directory(runs / "trunk");
  (void)search(runs / "trunk", 0.42, kShort);
  const auto branch = [&](const std::string& name, const Options& more, const std::string& method) {
    std::filesystem::create_directory(runs / name);
    Options options{{"trunk", "trunk"}, {"stage-epochs", "1"}};
    options.insert(more.begin(), more.end());
    return search(runs / name, 0.42, options, {}, method);
  };
  GCG_EXPECT_ERROR(branch("a", {{"trunk-stage", "9"}}, "grow_return"),
                   HasSubstr("no stage of growth but of phase final"));
  GCG_EXPECT_ERROR(branch("b", {{"trunk-stage", "3"}}, "grow_budget"),
                   HasSubstr("no stage of growth but of phase return"));
  GCG_EXPECT_ERROR(branch("c", {{"trunk-stage", "2"}, {"budget-share", "0.5"}}, "grow_return"),
                   HasSubstr("cost more than --budget-share 0.5"));
}

}  // namespace
}  // namespace gcg
