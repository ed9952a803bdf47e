#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "dense/torch_executor.h"
#include "run/small_run.h"

namespace gcg::testing {

/// A small run, by LibTorch if nothing else is said.
struct Miniature : SmallRun {
  explicit Miniature(const std::string& name, const std::map<std::string, std::string>& given = {},
                     MakeExecutor make_executor = make_torch_executor, std::int64_t threads = 1)
      : SmallRun(name, given, make_executor, threads) {}
};

/// Looks at everything after every call of another executor.
class CheckedExecutor : public Executor {
 public:
  explicit CheckedExecutor(Executor& inner) : inner_(inner) {}
  const Network& network() const override { return inner_.network(); }
  void write(const TrainingState& state) override { inner_.write(state); }
  TrainingState read() const override { return inner_.read(); }
  BatchSums forward_backward(const Batch& batch) override {
    const BatchSums sums = inner_.forward_backward(batch);
    const TrainingState state = inner_.read();
    check_mask_invariant(network(), {inner_.gradients(), state.mask});
    return sums;
  }
  void step(const OptimiserStep& step) override {
    inner_.step(step);
    check_mask_invariant(network(), inner_.read());
    ++steps;
  }
  BatchSums evaluate(const Batch& batch, const PerSample& each) override {
    return inner_.evaluate(batch, each);
  }
  std::vector<std::vector<float>> dense_gradients(const Batch& batch) override {
    const TrainingState before = inner_.read();
    auto gradients = inner_.dense_gradients(batch);
    EXPECT_EQ(inner_.read(), before);
    return gradients;
  }
  Parameters gradients() const override { return inner_.gradients(); }

  int steps = 0;

 private:
  Executor& inner_;
};

/// As a killed process ends: no std::exception, which the trainer would record as a failure.
struct Interrupted {};

/// Starts a run again until it ends. `start` gets what breaks the run off at the given call of it
/// (0: at none).
template <typename Start>
RunRecord started_until_it_ends(int calls, Start start) {
  for (int attempt = 0; attempt < 500; ++attempt) {
    int left = calls;
    try {
      return start([&](const TrainingProgress&) {
        if (--left == 0) {
          throw Interrupted();
        }
      });
    } catch (const Interrupted&) {
    }
  }
  ADD_FAILURE() << "no progress";
  return {};
}

/// Breaks off at the given call of progress, starts again, until the run ends.
inline RunRecord run_with_interruptions(const std::string& method,
                                        const std::map<std::string, std::string>& options,
                                        const std::filesystem::path& folder, int calls,
                                        double seconds,
                                        MakeExecutor make_executor = make_torch_executor) {
  return started_until_it_ends(calls, [&](const auto& progress) {
    Miniature miniature(method, options, make_executor);
    TrainingRun run = miniature.run(folder);
    run.checkpoint_seconds = seconds;
    run.progress = progress;
    return train(std::move(run));
  });
}

}  // namespace gcg::testing
