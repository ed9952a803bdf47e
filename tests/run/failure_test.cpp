// What is left of a run that cannot go on, wherever it fails, and what happens when it is started
// again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <new>

#include "base/error.h"
#include "base/file.h"
#include "base/temporary_folder.h"
#include "base/throws.h"
#include "data/cifar_file.h"
#include "record/export.h"
#include "record/run_file.h"
#include "record/run_summary.h"
#include "run/execute.h"
#include "run/miniature.h"
#include "run/same_run.h"
#include "sparse/sparse_executor.h"
#include "train/trainer.h"

namespace gcg {
namespace {

using ::testing::AllOf;
using testing::difference;
using ::testing::HasSubstr;
using testing::Miniature;
using testing::TemporaryFolder;

const std::map<std::string, std::string> kGrowth{{"max-stages", "3"},
                                                 {"stop", "never"},
                                                 {"stage-epochs", "1"},
                                                 {"growth-rule", "gradient"},
                                                 {"disconnected", "repair"}};

/// Fails at the n-th call of one kind: a loss that is no number, or an exception.
struct FailingExecutor final : Executor {
  explicit FailingExecutor(Executor& executor) : inner(executor) {}
  const Network& network() const override { return inner.network(); }
  void write(const TrainingState& state) override { inner.write(state); }
  TrainingState read() const override { return inner.read(); }
  BatchSums forward_backward(const Batch& batch) override {
    if (--allocation_left == 0) {
      throw std::bad_alloc();
    }
    BatchSums sums = inner.forward_backward(batch);
    if (--step_left == 0) {
      sums.loss = std::numeric_limits<double>::quiet_NaN();
    }
    return sums;
  }
  void step(const OptimiserStep& step) override { inner.step(step); }
  BatchSums evaluate(const Batch& batch, const PerSample& each) override {
    BatchSums sums = inner.evaluate(batch, each);
    if (--evaluations_left == 0) {
      sums.loss = std::numeric_limits<double>::infinity();
    }
    return sums;
  }
  std::vector<std::vector<float>> dense_gradients(const Batch& batch) override {
    if (--gradients_left == 0) {
      throw Error("the device", "is lost");
    }
    return inner.dense_gradients(batch);
  }
  Parameters gradients() const override { return inner.gradients(); }

  Executor& inner;
  int step_left = 0, evaluations_left = 0, gradients_left = 0, allocation_left = 0;
};

struct Failure {
  std::string about;
  std::function<void(FailingExecutor&, Miniature&)> arrange;
  std::string failure;      ///< a part of it
  std::size_t rows;         ///< of the trajectory that is kept, at least
  bool by_options = true;   ///< not by the machine or the data
  bool repeatable = false;  ///< the next process meets it at the same place
};

// 4 steps and 1 evaluated batch an epoch; 3 stages of 1 epoch, 2 final epochs; then the test set.
std::vector<Failure> failures() {
  const auto set = [](const char* option, const char* value) {
    return [=](FailingExecutor&, Miniature& miniature) { miniature.options.set(option, value); };
  };
  return {
      {"the first mask",
       [&](FailingExecutor& executor, Miniature& miniature) {
         set("disconnected", "fail")(executor, miniature);
         set("seed-density", "0.002")(executor, miniature);
       },
       "before the first stage: ", 0, true, true},
      {"the training loss", [](FailingExecutor& e, Miniature&) { e.step_left = 6; },
       "stage 1, epoch 1 of 1, batch 1: miniature: the training loss is nan", 1},
      {"the validation loss", [](FailingExecutor& e, Miniature&) { e.evaluations_left = 2; },
       "stage 1, epoch 1 of 1, batch 4: miniature: the validation loss is inf", 1},
      {"the test loss", [](FailingExecutor& e, Miniature&) { e.evaluations_left = 6; },
       "after the training of stage 3: miniature: the test loss is inf", 5},
      {"the device in a decision", [](FailingExecutor& e, Miniature&) { e.gradients_left = 2; },
       "after the training of stage 1: the device: is lost", 2, false},
      {"the device in the first decision",
       [](FailingExecutor& executor, Miniature& miniature) {
         miniature.options.set("seed-rule", "snip");
         executor.gradients_left = 1;
       },
       "before the first stage: the device: is lost", 0, false, true},
      {"memory", [](FailingExecutor& e, Miniature&) { e.allocation_left = 7; },
       "stage 1, epoch 1 of 1, batch 2: out of memory\n  remedy: ", 1, false},
      {"the measures of a mask",
       [](FailingExecutor&, Miniature& miniature) { miniature.recipe.learning_rate = 1000; }, "", 0,
       true, true},
  };
}

struct Attempt {
  std::string error;
  std::vector<std::string> said;
};

/// Trains with a failure arranged or, without one, as it should be.
Attempt attempt(const std::filesystem::path& folder, const Failure* failure) {
  Miniature miniature("gcg", kGrowth, make_sparse_executor);
  FailingExecutor executor(*miniature.executor);
  if (failure != nullptr) {
    failure->arrange(executor, miniature);
  }
  TrainingRun run{miniature.network, miniature.data, miniature.recipe, *miniature.method, executor};
  run.folder = folder;
  run.record.identity.name = "miniature";
  run.record.identity.hash = "hash";
  Attempt result;
  run.say = [&](const std::string& text) { result.said.push_back(text); };
  try {
    (void)train(std::move(run));
  } catch (const std::exception& error) {
    result.error = error.what();
  }
  return result;
}

TEST(Failure, IsRecordedWithItsPlaceAndReasonWhereverItHappens) {
  for (const Failure& failure : failures()) {
    SCOPED_TRACE(failure.about);
    const TemporaryFolder folder;
    EXPECT_NE(attempt(folder.path(), &failure).error, "");
    const RunRecord record = read_run_file(folder.path() / kRunFileName);
    EXPECT_EQ(record.status, RunStatus::failed);
    EXPECT_THAT(record.failure, HasSubstr(failure.failure));
    EXPECT_FALSE(record.failure.empty());
    EXPECT_EQ(record.failure.ends_with("the same command ends here again"), failure.by_options);
    EXPECT_GE(record.trajectory.size(), failure.rows);
    EXPECT_FALSE(record.result.has_value());
  }
}

TEST(Failure, ByTheOptionsIsToldAndTriedOnceMoreThenTheRunIsRefused) {
  for (const Failure& failure : failures()) {
    if (!failure.by_options || !failure.repeatable) {
      continue;
    }
    SCOPED_TRACE(failure.about);
    const TemporaryFolder folder;
    (void)attempt(folder.path(), &failure);
    const std::string reason = read_run_file(folder.path() / kRunFileName).failure;
    const Attempt second = attempt(folder.path(), &failure);
    EXPECT_THAT(second.said,
                ::testing::Contains("warning: went on after it had failed: " + reason));
    EXPECT_EQ(read_run_file(folder.path() / kRunFileName).failure, reason);
    const Attempt third = attempt(folder.path(), &failure);
    EXPECT_THAT(third.error, HasSubstr("failed twice in the same way and is not tried again"));
    EXPECT_THAT(third.error, HasSubstr(reason));
    EXPECT_EQ(read_run_file(folder.path() / kRunFileName).status, RunStatus::failed);
  }
}

TEST(Failure, OfTheMachineOrTheDataIsTriedAgainHoweverOften) {
  for (const Failure& failure : failures()) {
    if (failure.by_options || !failure.repeatable) {
      continue;
    }
    SCOPED_TRACE(failure.about);
    const TemporaryFolder folder;
    (void)attempt(folder.path(), &failure);
    const std::string reason = read_run_file(folder.path() / kRunFileName).failure;
    const std::string told = "went on after it had failed: " + reason;
    for (int again = 0; again < 3; ++again) {
      EXPECT_THAT(attempt(folder.path(), &failure).said, ::testing::Contains("warning: " + told));
    }
    const RunRecord record = read_run_file(folder.path() / kRunFileName);
    EXPECT_EQ(record.failure, reason);
    EXPECT_EQ(std::ranges::count(record.warnings, told), 1);
  }
}

/// A run that was stopped at its second step.
void leave_unfinished(const std::filesystem::path& folder) {
  Miniature miniature("gcg", kGrowth, make_sparse_executor);
  TrainingRun run = miniature.run(folder);
  const std::shared_ptr<Stop> stop = run.stop;
  run.progress = [&](const TrainingProgress&) { stop->asked = true; };
  EXPECT_THROW((void)train(std::move(run)), Stopped);
  EXPECT_EQ(read_run_file(folder / kRunFileName).status, RunStatus::running);
}

TEST(Failure, OfARunThatCannotGoOnFromItsCheckpointIsRecorded) {
  const TemporaryFolder folder;
  leave_unfinished(folder.path());
  const RunRecord before = read_run_file(folder.path() / kRunFileName);
  {
    Miniature other("gcg", kGrowth, make_sparse_executor);
    other.data.digest = "other images";
    GCG_EXPECT_ERROR((void)train(other.run(folder.path())), HasSubstr("data digest"));
  }
  RunRecord record = read_run_file(folder.path() / kRunFileName);
  EXPECT_EQ(record.status, RunStatus::failed);
  EXPECT_THAT(record.failure, AllOf(HasSubstr("at the start: "), HasSubstr("data digest")));
  EXPECT_EQ(read_run_summary(folder.path())->status, RunStatus::failed);
  EXPECT_EQ(record.cost.steps, before.cost.steps);
  // With its own images it goes on.
  Miniature own("gcg", kGrowth, make_sparse_executor);
  record = train(own.run(folder.path()));
  EXPECT_EQ(record.status, RunStatus::finished);
  EXPECT_THAT(record.warnings,
              ::testing::Contains(HasSubstr("went on after it had failed: at the start")));
}

TEST(Failure, OfAFinishedRunsNextProcessLeavesItFinished) {
  const TemporaryFolder folder;
  ASSERT_EQ(attempt(folder.path(), nullptr).error, "");
  Miniature other("gcg", kGrowth, make_sparse_executor);
  TrainingRun run = other.run(folder.path());
  other.data.digest = "other images";
  EXPECT_THROW((void)train(std::move(run)), Error);
  EXPECT_EQ(read_run_file(folder.path() / kRunFileName).status, RunStatus::finished);
}

// Its content is part of the run's name, which the plan makes before.
TEST(Failure, AFileOfOptionsThatChangesWhileTheRunGoesOnIsRefused) {
  const TemporaryFolder folder;
  const std::string table = folder / "table.txt";
  const std::string mask = folder / "mask.npz";
  for (const auto& [method, options] :
       std::vector<std::pair<std::string, std::map<std::string, std::string>>>{
           {"fixed_mask", {{"seed-rule", "table"}, {"seed-allocation-file", table}}},
           {"fixed_mask", {{"mask-file", mask}}},
           {"gcg",
            {{"quotas", "table"},
             {"allocation-file", table},
             {"max-stages", "2"},
             {"disconnected", "repair"}}}}) {
    for (const bool changed : {false, true}) {
      SCOPED_TRACE(method + " " + options.begin()->first);
      Miniature miniature(method, options, make_sparse_executor);
      const Network& network = miniature.network;
      std::ofstream lines(table);
      for (const Layer& layer : network.layers) {
        lines << layer.name << " 0.5\n";
      }
      lines.close();
      write_file_atomically(
          mask, export_content(network, initial_state(network, Mask(network, true), 1)));
      for (const Option& option : miniature.options.options()) {
        if (option.unused().empty() && option.text() != option.default_text) {
          (void)option.identity_text();
        }
      }
      if (changed) {
        std::ofstream(table, std::ios::app) << "# a remark\n";
        std::ofstream(mask, std::ios::app) << "more";
      }
      const TemporaryFolder out;
      const auto trained = [&] { (void)train(miniature.run(out.path())); };
      if (changed) {
        GCG_EXPECT_ERROR(trained(), HasSubstr("has changed since the run began"));
      } else {
        EXPECT_NO_THROW(trained());
      }
    }
  }
}

TEST(Failure, BeforeTheTrainingIsRecordedInARunThatHasBegun) {
  const TemporaryFolder folder;
  for (const char* name : {"data_batch_1.bin", "test_batch.bin"}) {
    test::write_cifar10_file(folder / name, testing::small_data().train);
  }
  const GivenOptions given{{"method", "dense"},
                           {"epochs", "1"},
                           {"width", "4"},
                           {"data", "cifar10"},
                           {"out", folder.path() / "r"},
                           {"data-dir", folder.path()}};
  const auto plan = make_run_plan(given);
  const std::filesystem::path file = plan->folder() / kRunFileName;
  std::filesystem::rename(folder / "test_batch.bin", folder / "away");
  EXPECT_THROW((void)execute(*make_run_plan(given)), Error);
  EXPECT_FALSE(std::filesystem::exists(file));  // nothing of it is there yet
  std::filesystem::rename(folder / "away", folder / "test_batch.bin");
  const auto stop = std::make_shared<Stop>();
  stop->asked = true;
  EXPECT_THROW((void)execute(*make_run_plan(given), stop), Stopped);
  ASSERT_EQ(read_run_file(file).status, RunStatus::running);
  std::filesystem::remove(folder / "test_batch.bin");
  EXPECT_THROW((void)execute(*make_run_plan(given)), Error);
  EXPECT_EQ(read_run_file(file).status, RunStatus::failed);
  EXPECT_THAT(read_run_file(file).failure,
              AllOf(HasSubstr("at the start: "), HasSubstr("test_batch.bin")));
}

TEST(Failure, WhoseCauseIsGoneLeavesAWarningAndTheSameBits) {
  const TemporaryFolder whole;
  ASSERT_EQ(attempt(whole.path(), nullptr).error, "");
  const RunRecord expected = read_run_file(whole.path() / kRunFileName);
  for (const Failure& failure : failures()) {
    if (failure.repeatable) {
      continue;
    }
    SCOPED_TRACE(failure.about);
    const TemporaryFolder folder;
    ASSERT_NE(attempt(folder.path(), &failure).error, "");
    ASSERT_EQ(attempt(folder.path(), nullptr).error, "");
    const RunRecord record = read_run_file(folder.path() / kRunFileName);
    EXPECT_EQ(difference(record, expected), "");
    EXPECT_EQ(record.status, RunStatus::finished);
    EXPECT_THAT(record.warnings, ::testing::Contains(HasSubstr("went on after it had failed: ")));
  }
}

TEST(Failure, OfAnotherRunsFolderIsNotRecordedThere) {
  const TemporaryFolder folder;
  ASSERT_EQ(attempt(folder.path(), nullptr).error, "");
  Miniature other("gcg", kGrowth, make_sparse_executor);
  TrainingRun run = other.run(folder.path());
  run.record.identity.hash = "another";
  EXPECT_THROW((void)train(std::move(run)), Error);
  EXPECT_EQ(read_run_file(folder.path() / kRunFileName).status, RunStatus::finished);
}

}  // namespace
}  // namespace gcg
