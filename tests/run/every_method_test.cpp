// What holds for every method of the table, on both executors: a new row is covered without a line
// here.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "backend/thread_ranks.h"
#include "base/temporary_folder.h"
#include "growth/seed.h"
#include "record/run_file.h"
#include "run/miniature.h"
#include "run/same_run.h"
#include "sparse/sparse_executor.h"

namespace gcg {
namespace {

using testing::CheckedExecutor;
using testing::difference;
using testing::Miniature;
using testing::run_with_interruptions;
using testing::TemporaryFolder;

struct Way {
  std::string method;
  std::string executor;
  testing::MakeExecutor make;
};

void PrintTo(const Way& way, std::ostream* out) { *out << way.method << " " << way.executor; }

std::vector<Way> ways(bool dense) {
  std::vector<Way> all;
  for (const MethodEntry& entry : method_table()) {
    if (dense) {
      all.push_back({std::string(entry.name), "dense", make_torch_executor});
    }
    all.push_back(
        {std::string(entry.name), "sparse", [](const Network& network, std::int64_t threads) {
           return make_sparse_executor(network, threads);
         }});
  }
  return all;
}

std::string name_of_way(const ::testing::TestParamInfo<Way>& way) {
  return way.param.method + "_" + way.param.executor;
}

struct EveryMethod : ::testing::TestWithParam<Way> {
  std::map<std::string, std::string> options = testing::short_run(GetParam().method);

  [[nodiscard]] Miniature miniature() const {
    Miniature made(GetParam().method, options, GetParam().make);
    made.recipe.epochs = 4;
    return made;
  }
};

/// What a method decides and counts itself, whatever executes the run.
struct EveryMethodAlone : EveryMethod {};

TEST_P(EveryMethod, KeepsTheInvariantsAndCountsAfterEveryStep) {
  const TemporaryFolder folder;
  Miniature made = miniature();
  made.recipe.optimiser_settings.numbers["weight-decay"] = 0.01;  // must not revive what is absent
  CheckedExecutor checked(*made.executor);
  TrainingRun run{made.network, made.data, made.recipe, *made.method, checked};
  run.folder = folder.path();
  const RunRecord record = train(std::move(run));
  EXPECT_EQ(record.status, RunStatus::finished);
  EXPECT_EQ(checked.steps, record.cost.steps);
  EXPECT_EQ(std::ssize(record.trajectory), record.cost.epochs);
  EXPECT_EQ(record.stages.back().decision, "done");
  for (const TrajectoryRow& row : record.trajectory) {
    const double present = row.density * static_cast<double>(made.network.connections());
    EXPECT_NEAR(present, std::round(present), 1e-6);
  }
  if (options.contains("target-density") && GetParam().method != "small_dense") {
    EXPECT_EQ(record.result->state.mask.present(), present_for_density(made.network, 0.4));
  }
}

TEST_P(EveryMethodAlone, TwoRanksTakeTheSameCourseAndRankZeroWrites) {
  const TemporaryFolder folder;
  std::vector<RunRecord> records(2);
  testing::ThreadRanks(2).run([&](Ranks& ranks) {
    Miniature made = miniature();
    made.executor->join(ranks, true);
    const auto rank = static_cast<std::size_t>(ranks.rank());
    TrainingRun run = made.run(folder.path());
    run.ranks = &ranks;
    run.checkpoint_seconds = 0;
    records[rank] = train(std::move(run));
  });
  EXPECT_EQ(records[0].status, RunStatus::finished);
  EXPECT_EQ(difference(records[0], records[1]), "");
  EXPECT_EQ(difference(records[0], read_run_file(folder / kRunFileName)), "");
}

// By other backends: TrainingBy.
TEST_P(EveryMethodAlone, RepeatsAndInterruptedEndsWithTheSameBits) {
  const TemporaryFolder whole;
  const TemporaryFolder broken;
  const RunRecord expected =
      train(Miniature(GetParam().method, options, GetParam().make).run(whole.path()));
  // 3 batches at a time with a checkpoint after every batch: within epochs, over mask updates.
  EXPECT_EQ(difference(run_with_interruptions(GetParam().method, options, broken.path(), 3, 0,
                                              GetParam().make),
                       expected),
            "");
}

// Images seen under a mask, times what one costs: nothing else is in the training's FLOPs.
TEST_P(EveryMethodAlone, CostsWhatItsMasksCost) {
  const TemporaryFolder folder;
  Miniature made = miniature();
  struct Counter final : CheckedExecutor {
    using CheckedExecutor::CheckedExecutor;
    BatchSums forward_backward(const Batch& batch) override {
      const Mask mask = read().mask;
      training += 3 * forward_flops(network(), mask.counts()) * static_cast<double>(batch.size());
      density += mask.density();
      return CheckedExecutor::forward_backward(batch);
    }
    std::vector<std::vector<float>> dense_gradients(const Batch& batch) override {
      gradients_flops += (2 * forward_flops(network(), read().mask.counts()) +
                          forward_flops(network(), layer_sizes(network()))) *
                         static_cast<double>(batch.size());
      return CheckedExecutor::dense_gradients(batch);
    }
    double training = 0, gradients_flops = 0, density = 0;
  } counter(*made.executor);
  TrainingRun run{made.network, made.data, made.recipe, *made.method, counter};
  run.folder = folder.path();
  const RunRecord record = train(std::move(run));
  EXPECT_NEAR(record.cost.training_flops / counter.training, 1, 1e-12);
  EXPECT_NEAR(record.cost.dense_gradient_flops, counter.gradients_flops,
              1e-12 * counter.gradients_flops);
  EXPECT_NEAR(record.cost.density_epochs, counter.density / 4, 1e-9);  // 4 batches an epoch
}

INSTANTIATE_TEST_SUITE_P(Table, EveryMethod, ::testing::ValuesIn(ways(true)), name_of_way);
INSTANTIATE_TEST_SUITE_P(Table, EveryMethodAlone, ::testing::ValuesIn(ways(false)), name_of_way);

}  // namespace
}  // namespace gcg
