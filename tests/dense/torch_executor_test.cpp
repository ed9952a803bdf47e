#include "dense/torch_executor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <tuple>

#include "backend/conformance.h"
#include "backend/random_cases.h"
#include "base/throws.h"
#include "graph/networks.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// Threads of this process.
int thread_count() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Threads:")) {
      return std::stoi(line.substr(8));
    }
  }
  return -1;
}

class TorchConformance : public ::testing::TestWithParam<ConformanceCase> {};

TEST_P(TorchConformance, Holds) {
  GetParam().check([](const Network& network) { return make_torch_executor(network, 1); },
                   all_small_networks());
}

TEST_P(TorchConformance, HoldsWithTheOtherOrderOfChannels) {
  GetParam().check(
      [](const Network& network) { return make_torch_executor(network, 1, ChannelOrder::first); },
      all_small_networks());
}

INSTANTIATE_TEST_SUITE_P(Executor, TorchConformance,
                         ::testing::ValuesIn(conformance_cases().begin(),
                                             conformance_cases().end()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(TorchExecutor, StartsNoThreadsWhereOneIsAskedFor) {
  const int before = thread_count();
  const Network network = build_network("resnet8", {{3, 16, 16}, 10, 4});
  const auto executor = make_torch_executor(network, 1);
  executor->write(random_state(network, 0.5, 1));
  const OwnedBatch batch = random_batch(network, 32, 2);
  executor->forward_backward(batch);
  executor->step({});
  executor->evaluate(batch, {});
  EXPECT_EQ(thread_count(), before);
}

TEST(TorchExecutor, GivesTheSameBitsWhicheverThreadCallsIt) {
  const Network network = build_network("resnet8", {{3, 16, 16}, 10, 4});
  const auto train = [&]() {
    const auto executor = make_torch_executor(network, 1);
    executor->write(random_state(network, 0.5, 3));
    for (std::uint64_t i = 0; i < 3; ++i) {
      executor->forward_backward(random_batch(network, 32, i));
      executor->step({});
    }
    return executor->read();
  };
  const TrainingState here = train();
  TrainingState there;
  std::thread([&]() { there = train(); }).join();
  EXPECT_EQ(here, there);
}

TEST(TorchExecutor, RefusesWhatItCannotRun) {
  const Network network = build_network("mlp", {{4}, 3, 5});
  GCG_EXPECT_ERROR(make_torch_executor(network, 0), HasSubstr("0 threads"));
  GCG_EXPECT_ERROR(make_torch_executor(network, 1'000'000), HasSubstr("1000000 threads"));
  NetworkBuilder net("padded", {1, 4, 4});
  net.linear("fc", net.flatten("flatten", net.max_pool("pool", 0, {3, 3, 1, 2})), 2);
  GCG_EXPECT_ERROR(make_torch_executor(net.finish(), 1), HasSubstr("padded: pool"));

  const auto executor = make_torch_executor(network, 1);
  executor->write(random_state(network, 0.5, 1));
  executor->forward_backward(random_batch(network, 4, 1));
  const TrainingState before = executor->read();
  GCG_EXPECT_ERROR(executor->step({std::numeric_limits<double>::quiet_NaN(), 0.9, true, 0}),
                   HasSubstr("finite"));
  EXPECT_EQ(executor->read(), before);
}

TEST(TorchExecutor, NamesItsLibraries) {
  EXPECT_THAT(torch_version(), ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  const BlasFacts facts = blas_facts();
  EXPECT_THAT(facts.library, HasSubstr("/lib"));
  // Either all is well, or the reader is told what to install.
  EXPECT_TRUE(facts.warning.empty() ? facts.version.starts_with("OpenBLAS")
                                    : facts.warning.find("install") != std::string::npos)
      << facts.version << facts.warning;
}

TEST(TorchExecutor, KeepsNarrowStridedShortcutsWithinTheirMemory) {
  // oneDNN 2.6 writes behind its memory in their weight gradients: the heap would break.
  for (const auto& [edge, batch, threads] :
       {std::tuple(64, 32, 1), std::tuple(64, 33, 2), std::tuple(32, 33, 2)}) {
    SCOPED_TRACE(fmt::format("{0}x{0}, batch {1}, {2} threads", edge, batch, threads));
    const Network network = build_network("resnet8", {{3, edge, edge}, 10, 4});
    const auto executor = make_torch_executor(network, threads);
    executor->write(random_state(network, 0.5, 1));
    const OwnedBatch images = random_batch(network, batch, 2);
    for (int i = 0; i < 5; ++i) {
      EXPECT_TRUE(std::isfinite(executor->forward_backward(images).loss));
      executor->step({});
    }
  }
}

/// One update by hand: what belongs to AdamW's first update is g / (|g| + epsilon).
TEST(TorchExecutor, DecaysWeightsAloneByAdamWAndCountsItsUpdates) {
  for (const Network& network : all_small_networks()) {
    if (!has_variance(network, 6)) {
      continue;
    }
    SCOPED_TRACE(network.name);
    TrainingState state = random_state(network, 0.5, 1);
    clear_slots(network, state);
    const auto executor = make_torch_executor(network, 1);
    executor->write(state);
    executor->forward_backward(random_batch(network, 6, 2));
    const Parameters gradient = executor->gradients();
    const AdamWStep step{0.01, 0.9, 0.999, 0.5, 1e-3};
    executor->adamw_step(step);
    const TrainingState after = executor->read();
    ASSERT_TRUE(after.second);
    EXPECT_EQ(after.second->updates, 1);
    EXPECT_NO_THROW(check_mask_invariant(network, after));
    const auto compare = [&](const std::vector<float>& before, const std::vector<float>& g,
                             const std::vector<float>& now, double decay) {
      for (std::size_t i = 0; i < now.size(); ++i) {
        const double direction = double{g[i]} / (std::abs(double{g[i]}) + step.epsilon);
        ASSERT_NEAR(now[i], double{before[i]} - 0.01 * (direction + decay * double{before[i]}),
                    1e-5);
      }
    };
    const Parameters& old = state.values;
    const Parameters& now = after.values;
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      compare(old.weights[l], gradient.weights[l], now.weights[l], 0.5);
      compare(old.biases[l], gradient.biases[l], now.biases[l], 0);
    }
    for (std::size_t k = 0; k < now.norms.size(); ++k) {
      compare(old.norms[k].scale, gradient.norms[k].scale, now.norms[k].scale, 0);
      compare(old.norms[k].shift, gradient.norms[k].shift, now.norms[k].shift, 0);
    }
    compare(old.tokens.class_token, gradient.tokens.class_token, now.tokens.class_token, 0);
    compare(old.tokens.positions, gradient.tokens.positions, now.tokens.positions, 0);
  }
}

TEST(TorchExecutor, ResumesAdamWBitForBit) {
  for (const Network& network : small_transformers()) {
    SCOPED_TRACE(network.name);
    const auto train = [&](Executor& executor, std::uint64_t from, std::uint64_t to) {
      for (std::uint64_t i = from; i < to; ++i) {
        executor.forward_backward(random_batch(network, 9, 30 + i));
        executor.adamw_step({});
        check_mask_invariant(network, executor.read());
      }
    };
    TrainingState state = random_state(network, 0.5, 29);
    clear_slots(network, state);
    const auto whole = make_torch_executor(network, 1);
    whole->write(state);
    train(*whole, 0, 8);
    const auto part = make_torch_executor(network, 1);
    // A used executor: what it had must not shine through.
    part->write(random_state(network, 0.9, 1));
    train(*part, 0, 2);
    part->write(state);
    train(*part, 0, 4);
    const auto rest = make_torch_executor(network, 1);
    rest->write(part->read());
    train(*rest, 4, 8);
    EXPECT_EQ(rest->read(), whole->read());
    EXPECT_EQ(rest->read().second->updates, 8);
  }
}

TEST(TorchExecutor, RefusesAdamWStepsWithoutSense) {
  const Network network = build_network("resnet8", {{3, 8, 8}, 10, 4});
  const auto executor = make_torch_executor(network, 1);
  executor->write(random_state(network, 0.5, 1));
  GCG_EXPECT_ERROR(executor->adamw_step({}), HasSubstr("no gradients"));
  GCG_EXPECT_ERROR(executor->adamw_step({0.1, 1, 0.999}), HasSubstr("not in [0, 1)"));
  GCG_EXPECT_ERROR(executor->adamw_step({0.1, 0.9, 0.999, 0, 0}), HasSubstr("not positive"));
  GCG_EXPECT_ERROR(executor->adamw_step({std::numeric_limits<double>::infinity()}),
                   HasSubstr("finite numbers"));
}

}  // namespace
}  // namespace gcg
