// A run that another thread ends: at a step, or in work that takes long.
#include "train/stop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "record/run_file.h"
#include "record/run_summary.h"
#include "run/miniature.h"
#include "run/same_run.h"
#include "sparse/sparse_executor.h"

namespace gcg {
namespace {

using testing::difference;
using testing::Interrupted;
using testing::Miniature;
using testing::TemporaryFolder;

const std::map<std::string, std::string> kShortGrowth{{"max-stages", "3"},
                                                      {"stop", "never"},
                                                      {"stage-epochs", "1"},
                                                      {"growth-rule", "gradient"},
                                                      {"disconnected", "repair"}};

Checkpoint checkpoint_in(const TemporaryFolder& folder) {
  std::string note;
  std::optional<Checkpoint> checkpoint = read_checkpoint(folder.path(), note);
  EXPECT_TRUE(checkpoint);
  return std::move(*checkpoint);
}

TEST(Stop, AtAnyStepTheRunIsSavedThereAndEndsWithTheSameBits) {
  const TemporaryFolder whole;
  const RunRecord expected =
      train(Miniature("gcg", kShortGrowth, make_sparse_executor).run(whole.path()));
  const TemporaryFolder folder;
  int stops = 0;
  std::int64_t saved = 0;
  for (;; ++stops) {
    ASSERT_LT(stops, 100);
    Miniature miniature("gcg", kShortGrowth, make_sparse_executor);
    TrainingRun run = miniature.run(folder.path());
    const std::shared_ptr<Stop> stop = run.stop;
    // Asked after the second step of this process, so that it ends at the third, wherever in an
    // epoch of 4 that is; at once where the epoch ends first.
    int steps = 0;
    run.progress = [&](const TrainingProgress&) { stop->asked = ++steps == 2; };
    try {
      EXPECT_EQ(difference(train(std::move(run)), expected), "");
      break;
    } catch (const Stopped&) {
      const Checkpoint now = checkpoint_in(folder);
      EXPECT_EQ(now.record.cost.steps, saved + (now.position.batch_in_epoch == 0 ? 2 : 3));
      saved = now.record.cost.steps;
      EXPECT_EQ(read_run_summary(folder.path())->status, RunStatus::running);
    }
  }
  EXPECT_GE(stops, 6);  // in 20 steps
  EXPECT_EQ(read_run_summary(folder.path())->status, RunStatus::finished);
}

TEST(Stop, AskedBeforeTheFirstStepTheRunIsSavedAtItsStart) {
  const TemporaryFolder folder;
  Miniature miniature("dense", {}, make_sparse_executor);
  TrainingRun run = miniature.run(folder.path());
  run.stop->asked = true;
  EXPECT_THROW(train(std::move(run)), Stopped);
  EXPECT_EQ(checkpoint_in(folder).record.cost.steps, 0);
}

TEST(Stop, ALostFolderIsNotWrittenAnyMore) {
  const TemporaryFolder folder;
  Miniature miniature("dense", {}, make_sparse_executor);
  TrainingRun run = miniature.run(folder.path());
  const std::shared_ptr<Stop> stop = run.stop;
  run.progress = [&](const TrainingProgress&) {
    stop->lost = true;
    stop->asked = true;
  };
  EXPECT_THROW(train(std::move(run)), Stopped);
  EXPECT_FALSE(std::filesystem::exists(folder / "checkpoint.gcg"));
  EXPECT_FALSE(std::filesystem::exists(folder / kRunFileName));
}

/// What save_kept takes is never given back, so nothing may destroy it.
Stop& kept_for_ever(std::shared_ptr<Stop> stop) {
  static auto* const all = new std::vector<std::shared_ptr<Stop>>();
  all->push_back(std::move(stop));
  return *all->back();
}

/// Ends the run from outside in the midst of a call of the executor.
class EndsIn : public Executor {
 public:
  EndsIn(Executor& inner, std::string call, std::function<void()> end)
      : inner_(inner), call_(std::move(call)), end_(std::move(end)) {}
  const Network& network() const override { return inner_.network(); }
  void write(const TrainingState& state) override { inner_.write(state); }
  TrainingState read() const override { return inner_.read(); }
  BatchSums forward_backward(const Batch& batch) override {
    look("step");
    return inner_.forward_backward(batch);
  }
  void step(const OptimiserStep& step) override {
    inner_.step(step);
    ++steps;
  }
  BatchSums evaluate(const Batch& batch, const PerSample& each) override {
    look("evaluate");
    return inner_.evaluate(batch, each);
  }
  std::vector<std::vector<float>> dense_gradients(const Batch& batch) override {
    look("gradients");
    return inner_.dense_gradients(batch);
  }
  Parameters gradients() const override { return inner_.gradients(); }

  std::int64_t steps = 0;

 private:
  void look(const std::string& call) {
    if (call == call_) {
      end_();
    }
  }

  Executor& inner_;
  std::string call_;
  std::function<void()> end_;
};

/// Ends a run in every call of that name, one process after the other; checks what each of them
/// lost, and the result.
void expect_same_bits_if_ended_in(const std::string& call, const std::string& method,
                                  const std::map<std::string, std::string>& options, int most) {
  const TemporaryFolder whole;
  const RunRecord expected =
      train(Miniature(method, options, make_sparse_executor).run(whole.path()));
  const TemporaryFolder folder;
  std::set<std::int64_t> ended_at;  // once at every step
  for (int process = 0; process < most; ++process) {
    Miniature miniature(method, options, make_sparse_executor);
    TrainingRun plain = miniature.run(folder.path());
    const std::int64_t before = std::filesystem::exists(folder / "checkpoint.gcg")
                                    ? checkpoint_in(folder).record.cost.steps
                                    : 0;
    EndsIn* ends = nullptr;
    EndsIn executor(*miniature.executor, call, [&] {
      if (ended_at.insert(before + ends->steps).second) {
        throw Interrupted();
      }
    });
    ends = &executor;
    Stop& stop = kept_for_ever(plain.stop);
    TrainingRun run{miniature.network, miniature.data, miniature.recipe, *miniature.method,
                    executor};
    run.folder = folder.path();
    run.record = plain.record;
    run.stop = plain.stop;
    try {
      EXPECT_EQ(difference(train(std::move(run)), expected), "");
      EXPECT_GT(process, 0) << "was never ended";
      return;
    } catch (const Interrupted&) {
      save_kept(stop);  // as the thread beside the run does
      EXPECT_LE(before + executor.steps - checkpoint_in(folder).record.cost.steps, 1);
    }
  }
  ADD_FAILURE() << "no end";
}

TEST(Stop, InAnEvaluationNoStepIsLost) {
  expect_same_bits_if_ended_in("evaluate", "gcg", kShortGrowth, 20);
}

TEST(Stop, InADecisionNoStepIsLost) {
  expect_same_bits_if_ended_in("gradients", "gcg", kShortGrowth, 20);
}

TEST(Stop, InAnUpdateOfTheMaskOneStepIsLostAtMost) {
  expect_same_bits_if_ended_in("gradients", "rigl", testing::short_run("rigl"), 20);
}

TEST(Stop, ALostFolderGetsNoStageEither) {
  const TemporaryFolder folder;
  Miniature miniature("gcg", kShortGrowth, make_sparse_executor);
  const auto stop = std::make_shared<Stop>();
  EndsIn executor(*miniature.executor, "evaluate", [&] {
    stop->lost = true;
    stop->asked = true;
  });
  TrainingRun run{miniature.network, miniature.data, miniature.recipe, *miniature.method, executor};
  run.folder = folder.path();
  run.stop = stop;
  EXPECT_THROW(train(std::move(run)), Stopped);
  EXPECT_FALSE(std::filesystem::exists(folder / "stages"));
}

TEST(Stop, WhatWasKeptBeforeAFailureIsNotSavedOverIt) {
  const TemporaryFolder folder;
  Miniature miniature("dense", {}, make_sparse_executor);
  EndsIn executor(*miniature.executor, "evaluate", [] { throw Error("the device", "is lost"); });
  TrainingRun run{miniature.network, miniature.data, miniature.recipe, *miniature.method, executor};
  run.folder = folder.path();
  Stop& stop = kept_for_ever(run.stop);
  EXPECT_THROW(train(std::move(run)), Error);
  save_kept(stop);
  EXPECT_EQ(read_run_summary(folder.path())->status, RunStatus::failed);
}

TEST(Stop, TheFirstStepOfAProcessMayTakeLong) {
  const TemporaryFolder folder;
  Miniature miniature("dense", {}, make_sparse_executor);
  EndsIn executor(*miniature.executor, "step", [] { throw Interrupted(); });
  TrainingRun run{miniature.network, miniature.data, miniature.recipe, *miniature.method, executor};
  run.folder = folder.path();
  Stop& stop = kept_for_ever(run.stop);
  EXPECT_THROW(train(std::move(run)), Interrupted);
  save_kept(stop);
  EXPECT_EQ(checkpoint_in(folder).record.cost.steps, 0);
}

}  // namespace
}  // namespace gcg
