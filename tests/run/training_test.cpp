// The trainer on a real network, real growth and both executors, in miniature.
#include "train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/temporary_folder.h"
#include "base/throws.h"
#include "data/cifar_file.h"
#include "data/image_folder.h"
#include "data/prepare.h"
#include "data/prepared_set.h"
#include "device/device_executor.h"
#include "graph/networks.h"
#include "growth/seed.h"
#include "method/methods.h"
#include "record/network_file.h"
#include "record/run_file.h"
#include "run/execute.h"
#include "run/miniature.h"
#include "run/picture_folder.h"
#include "run/same_run.h"
#include "sparse/sparse_executor.h"
#include "topology/allocation.h"

namespace gcg {
namespace {

using testing::CheckedExecutor;
using testing::difference;
using ::testing::HasSubstr;
using testing::Interrupted;
using testing::Miniature;
using testing::run_with_interruptions;
using testing::started_until_it_ends;
using testing::TemporaryFolder;

const std::map<std::string, std::string> kShortGrowth{{"max-stages", "3"},
                                                      {"stop", "never"},
                                                      {"stage-epochs", "1"},
                                                      {"growth-rule", "gradient"},
                                                      {"disconnected", "repair"}};

/// What holds however the network is run.
class TrainingBy : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Execution, TrainingBy,
                         ::testing::Values("sparse", "dense", "device", "device_bf16"),
                         [](const auto& row) { return row.param; });

template <Precision precision>
std::unique_ptr<Executor> on_device(const Network& network, std::int64_t threads) {
  return make_device_executor(network, threads, {"cpu", precision, true});
}

testing::MakeExecutor executor_of(const std::string& execution) {
  if (execution == "device") {
    return on_device<Precision::fp32>;
  }
  if (execution == "device_bf16") {
    return on_device<Precision::bf16>;
  }
  if (execution == "dense") {
    return make_torch_executor;
  }
  return make_sparse_executor;
}

TEST_P(TrainingBy, AbsentWeightsGradientsAndSlotsAreZeroBitsAfterEveryStep) {
  const TemporaryFolder folder;
  Miniature miniature("gcg", kShortGrowth, executor_of(GetParam()));
  miniature.recipe.optimiser_settings.numbers["weight-decay"] = 0.01;
  CheckedExecutor checked(*miniature.executor);
  TrainingRun run{miniature.network, miniature.data, miniature.recipe, *miniature.method, checked};
  run.folder = folder.path();
  const RunRecord record = train(std::move(run));
  EXPECT_EQ(checked.steps, record.cost.steps);
  EXPECT_EQ(record.cost.steps,
            5 * 4);  // 3 stages of 1 epoch, 2 final ones; 120 images in 4 batches
}

TEST(Training, TheRecordTellsWhatAnAllocationWantedOfEveryLayer) {
  const TemporaryFolder folder;
  Miniature miniature("fixed_mask",
                      {{"seed-rule", "erk"}, {"seed-density", "0.3"}, {"disconnected", "repair"}},
                      make_sparse_executor);
  const RunRecord record = train(miniature.run(folder.path()));
  const Allocation wanted =
      allocate("erk", miniature.network, present_for_density(miniature.network, 0.3));
  const RunRecord stored = read_run_file(folder.path() / kRunFileName);
  const std::vector<LayerStatistics>& layers = stored.masks.at(0).statistics.layers;
  ASSERT_EQ(layers.size(), wanted.counts.size());
  for (std::size_t l = 0; l < layers.size(); ++l) {
    EXPECT_EQ(layers[l].wanted, wanted.wanted[l]);
    EXPECT_EQ(layers[l].integer, wanted.counts[l]);
    EXPECT_EQ(layers[l].present, record.masks.at(0).mask.layers[l].count());
  }
}

TEST(Training, SparseExecutionHasTheSameBitsForAnyNumberOfThreads) {
  const TemporaryFolder first;
  const TemporaryFolder second;
  const RunRecord one =
      train(Miniature("gcg", kShortGrowth, make_sparse_executor, 1).run(first.path()));
  const RunRecord three =
      train(Miniature("gcg", kShortGrowth, make_sparse_executor, 3).run(second.path()));
  EXPECT_EQ(difference(one, three), "");
}

// What GraSP needs of curvature is LibTorch's, whose sums depend on its threads.
TEST(Training, SparseExecutionByGraspHasTheSameBitsForAnyNumberOfThreads) {
  std::vector<RunRecord> records;
  for (const char* threads : {"1", "3"}) {
    const TemporaryFolder folder;
    const auto plan = make_run_plan({{"network", "resnet8"},
                                     {"width", "4"},
                                     {"method", "fixed_mask"},
                                     {"seed-rule", "grasp"},
                                     {"seed-density", "0.3"},
                                     {"data-images", "200"},
                                     {"data-test-images", "50"},
                                     {"epochs", "1"},
                                     {"threads", threads},
                                     {"out", folder.path().string()}});
    records.push_back(execute(*plan));
  }
  EXPECT_EQ(difference(records[0], records[1]), "");
}

// Other methods: EveryMethod.
TEST_P(TrainingBy, EndsWithTheSameBitsIfInterrupted) {
  const TemporaryFolder whole;
  const RunRecord expected =
      train(Miniature("gcg", kShortGrowth, executor_of(GetParam())).run(whole.path()));
  const TemporaryFolder broken;
  // 5 batches at a time: over the end of an epoch of 4, then in the middle of the next.
  EXPECT_EQ(difference(run_with_interruptions("gcg", kShortGrowth, broken.path(), 5, 300,
                                              executor_of(GetParam())),
                       expected),
            "");
  const TemporaryFolder shattered;
  // A checkpoint after every batch: 2 at a time come to an end as well.
  EXPECT_EQ(difference(run_with_interruptions("gcg", kShortGrowth, shattered.path(), 2, 0,
                                              executor_of(GetParam())),
                       expected),
            "");
  const TemporaryFolder other;
  EXPECT_NE(difference(train(Miniature("gcg", kShortGrowth, executor_of(GetParam()))
                                 .run(other.path(), /*seed=*/2)),
                       expected),
            "");
}

/// Holds no images and tells every sum at once.
class TakesBytes final : public CheckedExecutor {
 public:
  TakesBytes(Executor& inner, bool takes) : CheckedExecutor(inner), takes_(takes) {}
  bool takes_bytes() const override { return takes_; }

 private:
  bool takes_;
};

/// A run on a device that is sent every batch. It is broken off and begun again after so many
/// batches, with a checkpoint after each.
RunRecord run_sent(const DataSet& data, bool as_bytes, int batches = 1000) {
  const TemporaryFolder folder;
  return started_until_it_ends(batches, [&](const auto& progress) {
    Miniature miniature("gcg", kShortGrowth, on_device<Precision::fp32>);
    miniature.data = data;
    TakesBytes executor(*miniature.executor, as_bytes);
    TrainingRun run{miniature.network, miniature.data, miniature.recipe, *miniature.method,
                    executor};
    run.folder = folder.path();
    run.record.identity.name = "miniature";
    run.checkpoint_seconds = 0;
    run.progress = progress;
    return train(std::move(run));
  });
}

TEST(Training, ImagesThatADeviceHoldsOrIsSentAndSumsThatItTellsLaterChangeNoBit) {
  const TemporaryFolder folder;
  const RunRecord held =
      train(Miniature("gcg", kShortGrowth, on_device<Precision::fp32>).run(folder.path()));
  for (const bool as_bytes : {true, false}) {
    EXPECT_EQ(difference(run_sent(testing::small_data(), as_bytes), held), "") << as_bytes;
  }
  EXPECT_EQ(difference(run_sent(testing::small_data(), true, 3), held), "");  // epochs of 4 batches
}

TEST(Training, EncodedImagesAsBytesAreRoundedAndGoOnAfterAStopWithTheSameBits) {
  const TemporaryFolder pictures;
  testing::write_picture_folder(pictures.path());
  const DataSet data = open_image_folder(pictures.path(), "imagenet", 32);
  const RunRecord bytes = run_sent(data, true);
  EXPECT_EQ(difference(run_sent(data, true, 3), bytes), "");
  const RunRecord values = run_sent(data, false);
  const double loss = values.trajectory.front().train_loss;
  EXPECT_NE(bytes.trajectory.front().train_loss, loss);
  EXPECT_NEAR(bytes.trajectory.front().train_loss, loss, 0.01 * loss);
}

TEST(Training, ImagesThatComeFromTheHostToAGpuAreToldOfOnce) {
  const TemporaryFolder folder;
  std::string said;
  RunRecord record;
  for (const bool first : {true, false}) {
    Miniature miniature("dense");
    CheckedExecutor plain(*miniature.executor);  // holds no images
    TrainingRun run{miniature.network, miniature.data, miniature.recipe, *miniature.method, plain};
    run.folder = folder.path();
    run.record.execution.device = "cuda";
    run.checkpoint_seconds = 0;
    run.say = [&](const std::string& text) { said += text + "\n"; };
    int calls = 0;
    run.progress = [&](const TrainingProgress&) {
      if (first && ++calls == 3) {
        throw Interrupted();
      }
    };
    try {
      record = train(std::move(run));
    } catch (const Interrupted&) {
    }
  }
  const std::string warning =
      "the training images, 0.0 GB, do not fit beside the run on cuda: they come from the host";
  EXPECT_THAT(record.warnings, ::testing::ElementsAre(warning));
  EXPECT_THAT(said, HasSubstr("resumed"));
  EXPECT_EQ(said.find("warning: " + warning), said.rfind("warning: " + warning));
}

TEST(Training, WhatTheFirstMaskLeavesUnconnectedIsSaidOnceAndKept) {
  const TemporaryFolder folder;
  Miniature miniature("fixed_mask", {{"seed-rule", "random"}, {"seed-density", "0.02"}});
  TrainingRun run = miniature.run(folder.path());
  std::string said;
  run.say = [&](const std::string& text) { said += text + "\n"; };
  const RunRecord record = train(std::move(run));
  ASSERT_EQ(record.warnings.size(), 1U);
  EXPECT_THAT(record.warnings.front(), HasSubstr("are on no input-output path"));
  EXPECT_EQ(said.find("warning: " + record.warnings.front()), 0U) << said;
  EXPECT_EQ(said.rfind("warning: " + record.warnings.front()), 0U) << said;
}

TEST(Training, PreparedImagesThatChangeBeforeADeviceHoldsThemAreAnError) {
  const TemporaryFolder images;
  const TemporaryFolder folder;
  test::write_cifar10_file(images / "data_batch_1.bin", testing::small_data().train);
  test::write_cifar10_file(images / "test_batch.bin", testing::small_data().test);
  prepare_data("cifar10", images.path(), images / "prepared", {}, {});
  Miniature miniature("dense", {}, on_device<Precision::fp32>);
  miniature.data = open_prepared(images / "prepared", "cifar10", 0);
  const std::filesystem::path file = images / "prepared" / "train.images";
  std::filesystem::last_write_time(
      file, std::filesystem::last_write_time(file) + std::chrono::seconds(1));
  GCG_EXPECT_ERROR((void)train(miniature.run(folder.path())),
                   HasSubstr("train.images: the file was changed while it was in use"));
}

TEST(Training, ReadingTheStateFromTheExecutorIsTimeOfRecording) {
  class SlowToRead final : public CheckedExecutor {
   public:
    using CheckedExecutor::CheckedExecutor;
    TrainingState read() const override {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      ++reads;
      return CheckedExecutor::read();
    }
    mutable int reads = 0;
  };
  const TemporaryFolder folder;
  Miniature miniature("dense");
  SlowToRead slow(*miniature.executor);
  TrainingRun run{miniature.network, miniature.data, miniature.recipe, *miniature.method, slow};
  run.folder = folder.path();
  const RunRecord record = train(std::move(run));
  ASSERT_GT(slow.reads, 0);
  EXPECT_GE(record.cost.record_seconds, 0.3 * slow.reads);
}

TEST(Training, AveragedGradientsThatADeviceKeepsChangeNoBitAndGoOnAfterAStop) {
  std::map<std::string, std::string> momentum = kShortGrowth;
  momentum["growth-rule"] = "momentum";
  const TemporaryFolder first;
  const TemporaryFolder second;
  const TemporaryFolder third;
  const RunRecord kept =
      train(Miniature("gcg", momentum, on_device<Precision::fp32>).run(first.path()));
  Miniature two("gcg", momentum, on_device<Precision::fp32>);
  CheckedExecutor plain(*two.executor);  // averages on the host
  TrainingRun run{two.network, two.data, two.recipe, *two.method, plain};
  run.folder = second.path();
  run.record.identity.name = "miniature";
  EXPECT_EQ(difference(train(std::move(run)), kept), "");
  EXPECT_EQ(difference(run_with_interruptions("gcg", momentum, third.path(), 3, 0,
                                              on_device<Precision::fp32>),
                       kept),
            "");
}

TEST(Training, WhereEpochsAreShortItIsSavedAfterStagesAndByTimeAlone) {
  const TemporaryFolder folder;
  std::map<std::string, std::string> stages_of_two = kShortGrowth;
  stages_of_two["stage-epochs"] = "2";
  Miniature miniature("gcg", stages_of_two);
  TrainingRun run = miniature.run(folder.path());
  run.save_after_epochs = false;
  run.checkpoint_seconds = 1e9;
  std::map<std::int64_t, bool> saved;  // by stage, whether there was a checkpoint at its first step
  run.progress = [&](const TrainingProgress& progress) {
    saved.emplace(progress.stage, std::filesystem::exists(folder / "checkpoint.gcg"));
  };
  std::int64_t within = 0;
  run.say = [&](const std::string& text) {
    // The line of a stage comes before it is saved.
    within += text.starts_with("stage  0") && std::filesystem::exists(folder / "checkpoint.gcg");
  };
  train(std::move(run));
  ASSERT_GE(saved.size(), 2U);
  EXPECT_FALSE(saved[0]);
  EXPECT_TRUE(saved[1]);
  EXPECT_EQ(within, 0);
}

TEST(Training, WhateverIsInTheRunFileIsWholeAndTellsThePresent) {
  const TemporaryFolder folder;
  Miniature miniature("gcg", kShortGrowth);
  TrainingRun run = miniature.run(folder.path());
  run.checkpoint_seconds = 0;
  std::size_t seen = 0;
  run.progress = [&](const TrainingProgress&) {
    if (std::filesystem::exists(folder.path() / kRunFileName)) {
      const RunRecord record = read_run_file(folder.path() / kRunFileName);
      EXPECT_EQ(record.status, RunStatus::running);
      seen = std::max(seen, record.trajectory.size());
    }
  };
  const RunRecord record = train(std::move(run));
  EXPECT_EQ(seen + 1, record.trajectory.size());
  EXPECT_EQ(difference(read_run_file(folder.path() / kRunFileName), record), "");
}

TEST(Training, AFinishedRunIsReturnedAsItIsAndItsRunFileRestored) {
  const TemporaryFolder folder;
  const RunRecord record = train(Miniature("dense").run(folder.path()));
  std::filesystem::remove(folder.path() / kRunFileName);
  Miniature again("dense");
  TrainingRun run = again.run(folder.path());
  run.progress = [](const TrainingProgress&) { FAIL() << "trained again"; };
  run.record.build.commit = "a later one";
  const RunRecord same = train(std::move(run));
  EXPECT_EQ(difference(same, record), "");
  EXPECT_EQ(same.build.commit, record.build.commit);
  EXPECT_EQ(difference(read_run_file(folder.path() / kRunFileName), record), "");
}

TEST(Training, AFinishedRunWithoutCheckpointsIsNotTrainedAgain) {
  const TemporaryFolder folder;
  const RunRecord record = train(Miniature("dense").run(folder.path()));
  for (const char* name : {"checkpoint.gcg", "checkpoint.previous.gcg", kNetworkFileName}) {
    std::filesystem::remove(folder / name);
  }
  Miniature again("dense");
  TrainingRun run = again.run(folder.path());
  run.progress = [](const TrainingProgress&) { FAIL() << "trained again"; };
  EXPECT_EQ(difference(train(std::move(run)), record), "");
  EXPECT_EQ(difference(read_run_file(folder.path() / kRunFileName), record), "");
  EXPECT_TRUE(std::filesystem::exists(folder / kNetworkFileName));
}

TEST(Training, ARunFileWithoutCheckpointsThatIsNotFinishedIsToldAndTrainedAnew) {
  for (const bool damaged : {false, true}) {
    const TemporaryFolder folder;
    RunRecord record = train(Miniature("dense").run(folder.path()));
    for (const char* name : {"checkpoint.gcg", "checkpoint.previous.gcg"}) {
      std::filesystem::remove(folder / name);
    }
    const std::filesystem::path path = folder.path() / kRunFileName;
    if (damaged) {
      std::ofstream(path) << "no run file";
    } else {
      RunRecord running = record;
      running.status = RunStatus::running;
      running.result.reset();
      write_run_file(path, running);
    }
    Miniature again("dense");
    TrainingRun run = again.run(folder.path());
    std::string said;
    run.say = [&](const std::string& text) { said += text + "\n"; };
    EXPECT_EQ(difference(train(std::move(run)), record), "");
    EXPECT_THAT(said, HasSubstr("the run starts again"));
  }
}

TEST(Training, ADamagedCheckpointIsReportedAndThePreviousOneUsed) {
  const TemporaryFolder whole;
  const RunRecord expected = train(Miniature("dense").run(whole.path()));
  const TemporaryFolder folder;
  Miniature first("dense");
  TrainingRun run = first.run(folder.path());
  int calls = 0;
  run.checkpoint_seconds = 0;
  run.progress = [&](const TrainingProgress&) {
    if (++calls == 6) {
      throw Interrupted();
    }
  };
  EXPECT_THROW((void)train(std::move(run)), Interrupted);
  std::vector<std::byte> bytes = read_file(folder.path() / "checkpoint.gcg");
  bytes[bytes.size() / 2] ^= std::byte{1};
  write_file_atomically(folder.path() / "checkpoint.gcg", bytes);
  Miniature second("dense");
  TrainingRun again = second.run(folder.path());
  std::string said;
  again.say = [&](const std::string& text) { said += text + "\n"; };
  EXPECT_EQ(difference(train(std::move(again)), expected), "");
  EXPECT_THAT(said, HasSubstr("warning: went on from the checkpoint before the newest one (" +
                              (folder / "checkpoint.gcg").string()));
}

TEST(Training, ACheckpointOfAnotherRunOrOtherDataIsRefused) {
  const TemporaryFolder folder;
  (void)train(Miniature("dense").run(folder.path()));
  Miniature other("dense");
  TrainingRun run = other.run(folder.path());
  run.record.identity.hash = "another";
  EXPECT_THAT([&] { (void)train(std::move(run)); },
              ::testing::Throws<Error>(
                  ::testing::Property("what", &Error::what, HasSubstr("belongs to another run"))));
  Miniature changed("dense");
  changed.data.digest = "other pixels";
  EXPECT_THAT([&] { (void)train(changed.run(folder.path())); },
              ::testing::Throws<Error>(
                  ::testing::Property("what", &Error::what, HasSubstr("data digest"))));
}

TEST(Training, CostsAddUp) {
  const TemporaryFolder folder;
  Miniature miniature("gcg", kShortGrowth);
  const RunRecord record = train(miniature.run(folder.path()));
  double flops = 0;
  double density_epochs = 0;
  for (const StageRow& row : record.stages) {
    flops += row.training_flops;
    density_epochs += row.density * static_cast<double>(row.epochs);
  }
  const CostRecord& cost = record.cost;
  EXPECT_NEAR(flops, cost.training_flops + cost.scoring_flops + cost.dense_gradient_flops,
              1e-9 * flops);
  EXPECT_DOUBLE_EQ(density_epochs, cost.density_epochs);
  EXPECT_GT(cost.dense_gradient_flops, 0);
  EXPECT_EQ(cost.scoring_flops, 0);
  EXPECT_GT(cost.train_seconds, 0);
  EXPECT_GT(cost.peak_memory_bytes, 1 << 20);
  double by_hand = 0;
  for (std::size_t s = 0; s < record.stages.size(); ++s) {
    by_hand += 3 * 120.0 * static_cast<double>(record.stages[s].epochs) *
               forward_flops(miniature.network, record.masks[s].mask.counts());
  }
  EXPECT_DOUBLE_EQ(cost.training_flops, by_hand);
}

TEST(Training, ADenseNetworkLearns) {
  const TemporaryFolder folder;
  Miniature miniature("dense", {}, make_sparse_executor);
  miniature.data = testing::small_images(300);
  miniature.recipe.epochs = 20;
  miniature.recipe.schedule = "cosine";
  miniature.recipe.batch_size = 32;
  const RunRecord record = train(miniature.run(folder.path()));
  EXPECT_GT(record.result->test_accuracy, 0.2);  // chance is 0.1
  EXPECT_LT(record.trajectory.back().train_loss, 0.8 * record.trajectory.front().train_loss);
}

}  // namespace
}  // namespace gcg
