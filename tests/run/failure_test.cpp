// What is left of a run that cannot go on, wherever it fails, and what happens when it is started
// again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "base/temporary_folder.h"
#include "record/run_file.h"
#include "run/miniature.h"
#include "run/same_run.h"
#include "sparse/sparse_executor.h"
#include "train/trainer.h"

namespace gcg {
namespace {

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
  int step_left = 0, evaluations_left = 0, gradients_left = 0;
};

struct Failure {
  std::string about;
  std::function<void(FailingExecutor&, Miniature&)> arrange;
  std::string failure;      ///< a part of it
  std::size_t rows;         ///< of the trajectory that is kept, at least
  bool repeatable = false;  ///< a matter of options, met again by the next process
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
       "before the first stage: ", 0, true},
      {"the training loss", [](FailingExecutor& e, Miniature&) { e.step_left = 6; },
       "stage 1, epoch 1 of 1, batch 1: miniature: the training loss is nan", 1},
      {"the validation loss", [](FailingExecutor& e, Miniature&) { e.evaluations_left = 2; },
       "stage 1, epoch 1 of 1, batch 4: miniature: the validation loss is inf", 1},
      {"the test loss", [](FailingExecutor& e, Miniature&) { e.evaluations_left = 6; },
       "after the training of stage 3: miniature: the test loss is inf", 5},
      {"a decision", [](FailingExecutor& e, Miniature&) { e.gradients_left = 2; },
       "after the training of stage 1: the device: is lost", 2},
      {"the measures of a mask",
       [](FailingExecutor&, Miniature& miniature) { miniature.recipe.learning_rate = 1000; }, "", 0,
       true},
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
  } catch (const Error& error) {
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
    EXPECT_GE(record.trajectory.size(), failure.rows);
    EXPECT_FALSE(record.result.has_value());
  }
}

TEST(Failure, IsToldAndTriedOnceMoreThenTheRunIsRefused) {
  for (const Failure& failure : failures()) {
    if (!failure.repeatable) {
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
