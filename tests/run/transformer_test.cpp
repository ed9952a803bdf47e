// A vision transformer through the methods: what every_method_test.cpp says of convolutions.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "base/temporary_folder.h"
#include "device/device_executor.h"
#include "growth/seed.h"
#include "run/execute.h"
#include "run/miniature.h"
#include "run/same_run.h"
#include "sparse/sparse_executor.h"

namespace gcg {
namespace {

using testing::CheckedExecutor;
using testing::difference;
using testing::Interrupted;
using testing::Miniature;
using testing::TemporaryFolder;

/// Like those of the table, but with few tokens and two blocks: 16 patches of 8 pixels. `dropped`:
/// share of the samples that lose a branch.
Network small_transformer(std::int64_t width, double dropped = 0) {
  NetworkBuilder net("small_transformer", {3, 32, 32});
  std::int32_t x = net.tokens("tokens", net.convolution("patches", 0, width, {8, 8, 8, 0}, true));
  const auto branch = [&](const std::string& name, std::int32_t from) {
    return dropped > 0 ? net.drop_path(name, from, dropped) : from;
  };
  for (const std::string block : {"block1.", "block2."}) {
    std::int32_t y = net.layer_norm(block + "norm1", x);
    const std::int32_t query = net.token_linear(block + "query", y, width);
    const std::int32_t key = net.token_linear(block + "key", y, width);
    const std::int32_t value = net.token_linear(block + "value", y, width);
    y = net.attention(block + "attention", query, key, value, 2);
    y = net.token_linear(block + "projection", y, width);
    x = net.add(block + "add1", branch(block + "drop1", y), x);
    y = net.token_linear(block + "mlp1", net.layer_norm(block + "norm2", x), 2 * width);
    y = net.token_linear(block + "mlp2", net.gelu(block + "gelu", y), width);
    x = net.add(block + "add2", branch(block + "drop2", y), x);
  }
  net.linear("classifier", net.first_token("class_token", net.layer_norm("norm", x)), 10);
  return net.finish();
}

Miniature transformer(const std::string& method, const std::string& optimiser,
                      std::int64_t width = 8, bool sparse = true) {
  std::map<std::string, std::string> options = testing::short_run(method);
  if (method == "grow_reallocate") {
    options["peak"] = "1.25";  // with more, it wants connections that lie on no path yet
  }
  Miniature made(method, options);
  made.network = small_transformer(width);
  made.executor =
      sparse ? make_sparse_executor(made.network, 2) : make_torch_executor(made.network, 1);
  made.recipe.optimiser = optimiser;
  made.recipe.schedule = "cosine";
  made.recipe.learning_rate = optimiser == "adamw" ? 2e-3 : 0.05;
  made.recipe.optimiser_settings.numbers["weight-decay"] = 0.05;  // must not revive what is absent
  return made;
}

struct EveryMethodOnATransformer : ::testing::TestWithParam<MethodEntry> {};

TEST_P(EveryMethodOnATransformer, KeepsTheInvariantsUnderAdamW) {
  const std::string method(GetParam().name);
  // Under dense execution the one method that does all that others do.
  for (const bool sparse : {true, false}) {
    if (!sparse && method != "gcg") {
      continue;
    }
    SCOPED_TRACE(sparse ? "sparse" : "dense");
    const TemporaryFolder folder;
    Miniature made = transformer(method, "adamw", 8, sparse);
    CheckedExecutor checked(*made.executor);
    TrainingRun run{made.network, made.data, made.recipe, *made.method, checked};
    run.folder = folder.path();
    const RunRecord record = train(std::move(run));
    EXPECT_EQ(record.status, RunStatus::finished);
    EXPECT_EQ(checked.steps, record.cost.steps);
    EXPECT_EQ(record.stages.back().decision, "done");
    EXPECT_EQ(record.result->state.slots.size(), 2U);
    EXPECT_GT(record.result->state.updates, 0);
    if (testing::short_run(method).contains("target-density") && method != "small_dense") {
      EXPECT_EQ(record.result->state.mask.present(), present_for_density(made.network, 0.4));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Table, EveryMethodOnATransformer, ::testing::ValuesIn(method_table()),
                         [](const auto& entry) { return std::string(entry.param.name); });

/// With all that DeiT's recipe and more do to its samples.
Miniature augmented_transformer(const std::string& method) {
  Miniature made = transformer(method, "adamw");
  made.network = small_transformer(8, 0.3);
  made.executor = make_sparse_executor(made.network, 2);
  made.recipe.label_smoothing = 0.1;
  made.recipe.mixing = {0.8, 1};
  made.recipe.resized_crop = 0.3;
  made.recipe.colour_jitter = 0.4;
  return made;
}

TEST(Transformer, EveryAugmentationIsAnotherRun) {
  const auto last_loss = [](void (*change)(Recipe&), double dropped) {
    const TemporaryFolder folder;
    Miniature made = transformer("dense", "adamw");
    made.network = small_transformer(8, dropped);
    made.executor = make_sparse_executor(made.network, 2);
    change(made.recipe);
    return train(made.run(folder.path())).trajectory.back().train_loss;
  };
  const auto nothing = [](Recipe&) {};
  const std::set<double> losses{last_loss(nothing, 0),
                                last_loss(nothing, 0.3),
                                last_loss([](Recipe& recipe) { recipe.mixing.mixup = 0.8; }, 0),
                                last_loss([](Recipe& recipe) { recipe.mixing.cutmix = 1; }, 0),
                                last_loss([](Recipe& recipe) { recipe.resized_crop = 0.3; }, 0),
                                last_loss([](Recipe& recipe) { recipe.colour_jitter = 0.4; }, 0),
                                last_loss([](Recipe& recipe) { recipe.label_smoothing = 0.1; }, 0)};
  EXPECT_EQ(losses.size(), 7U);
}

TEST(Transformer, AugmentedOnADeviceItHasTheSamplesOfTheHost) {
  const TemporaryFolder here;
  const TemporaryFolder there;
  Miniature dense = augmented_transformer("dense");
  dense.executor = make_torch_executor(dense.network, 1);
  const RunRecord expected = train(dense.run(here.path()));
  Miniature device = augmented_transformer("dense");
  device.executor = make_device_executor(device.network, 1, {});
  const RunRecord found = train(device.run(there.path()));
  ASSERT_EQ(found.trajectory.size(), expected.trajectory.size());
  for (std::size_t i = 0; i < found.trajectory.size(); ++i) {
    EXPECT_NEAR(found.trajectory[i].train_loss, expected.trajectory[i].train_loss, 1e-4);
    EXPECT_NEAR(found.trajectory[i].validation_loss, expected.trajectory[i].validation_loss, 1e-4);
  }
}

TEST(Transformer, InterruptedWithinAnEpochEndsWithTheSameBits) {
  const auto make = [](const std::string& name) {
    return name == "augmented" ? augmented_transformer("gcg") : transformer(name, "adamw");
  };
  for (const std::string method : {"gcg", "imp", "augmented"}) {
    SCOPED_TRACE(method);
    const TemporaryFolder whole;
    const TemporaryFolder broken;
    const RunRecord expected = train(make(method).run(whole.path()));
    RunRecord found;
    bool finished = false;
    for (int attempt = 0; attempt < 50 && !finished; ++attempt) {
      Miniature made = make(method);
      TrainingRun run = made.run(broken.path());
      run.checkpoint_seconds = 0;
      int left = 5;
      run.progress = [&](const TrainingProgress&) {
        if (--left == 0) {
          throw Interrupted();
        }
      };
      try {
        found = train(std::move(run));
        finished = true;
      } catch (const Interrupted&) {
      }
    }
    ASSERT_TRUE(finished);
    EXPECT_EQ(difference(found, expected), "");
    EXPECT_EQ(found.result->state, expected.result->state);
  }
}

// Chance is a loss of log 10 and a tenth of the images.
TEST(Transformer, LearnsByEitherOptimiser) {
  for (const std::string optimiser : {"adamw", "sgd"}) {
    SCOPED_TRACE(optimiser);
    const TemporaryFolder folder;
    Miniature made = transformer("dense", optimiser, 32);
    made.recipe.epochs = 16;
    made.recipe.batch_size = 32;
    made.recipe.warmup = 0.1;
    made.recipe.optimiser_settings.numbers["weight-decay"] = 1e-4;
    made.recipe.augment = false;
    const RunRecord record = train(made.run(folder.path()));
    EXPECT_LT(record.trajectory.back().train_loss, 1.8);
    EXPECT_GT(record.trajectory.back().train_accuracy, 0.3);
  }
}

TEST(Transformer, RunsSparseByItselfAndTheRecordSaysSo) {
  const TemporaryFolder folder;
  const auto plan = make_run_plan({{"method", "gcg"},
                                   {"network", "vit6_small"},
                                   {"width", "6"},
                                   {"data-images", "100"},
                                   {"data-test-images", "50"},
                                   {"batch-size", "32"},
                                   {"seed-density", "0.3"},
                                   {"max-stages", "2"},
                                   {"stage-epochs", "1"},
                                   {"epochs", "1"},
                                   {"optimiser", "adamw"},
                                   {"learning-rate", "0.001"},
                                   {"schedule", "cosine"},
                                   {"disconnected", "warn"},
                                   {"out", folder.path().string()}});
  const RunRecord record = execute(*plan);
  EXPECT_EQ(record.status, RunStatus::finished);
  EXPECT_EQ(record.execution.asked, "auto");
  EXPECT_EQ(record.execution.used, "sparse");
  EXPECT_EQ(std::ssize(record.stages), 3);
  EXPECT_GT(record.stages[1].density, record.stages[0].density);
}

TEST(Transformer, GrowsReturnsAndFinishesByTheDefaultMethod) {
  const TemporaryFolder folder;
  const auto plan = make_run_plan({{"network", "vit6_small"},
                                   {"width", "6"},
                                   {"data-images", "100"},
                                   {"data-test-images", "50"},
                                   {"batch-size", "32"},
                                   {"epochs", "10"},
                                   {"optimiser", "adamw"},
                                   {"seed-density", "0.2"},
                                   {"disconnected", "warn"},
                                   {"out", folder.path().string()}});
  const RunRecord record = execute(*plan);
  EXPECT_EQ(record.status, RunStatus::finished);
  std::vector<double> densities;
  for (const StageRow& stage : record.stages) {
    densities.push_back(stage.density);
  }
  const auto peak = std::ranges::max_element(densities);
  EXPECT_GT(peak - densities.begin(), 0) << "grown";
  EXPECT_GT(densities.end() - peak, 1) << "returned";
  ASSERT_TRUE(record.result.has_value());
  EXPECT_EQ(record.result->density, record.search.density);
}

}  // namespace
}  // namespace gcg
