// Training by tiles, and the rule that chooses them.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "backend/conformance.h"
#include "backend/random_cases.h"
#include "base/host.h"
#include "graph/networks.h"
#include "sparse/execution.h"
#include "sparse/kernels.h"
#include "sparse/sparse_executor.h"
#include "sparse/tile_convolve.h"
#include "sparse/training.h"

namespace gcg::sparse {
namespace {

/// All convolutions that can, whatever their density.
constexpr TileChoice everywhere(const TileKernels& tiles) { return {&tiles, 0}; }

std::unique_ptr<Executor> make(const Network& network, std::int64_t threads,
                               const TileChoice& tiles,
                               const Kernels& kernels = fastest_kernels()) {
  return make_sparse_executor(network, threads, kernels, Precision::bf16, tiles);
}

TEST(TileExecutor, GivesTheSameBitsForAnyNumberOfThreads) {
  for (const Network& network : small_networks()) {
    SCOPED_TRACE(network.name);
    const TrainingState one = trained(*make(network, 1, everywhere(plain_tiles())));
    for (const std::int64_t threads : {2, 3, 16}) {
      SCOPED_TRACE(threads);
      EXPECT_EQ(trained(*make(network, threads, everywhere(plain_tiles()))), one);
    }
  }
}

TEST(TileExecutor, GivesTheSameBitsForAnyWidthOfVectorsWithFusedMultiplyAdd) {
  const Network network = build_network("resnet8", {{3, 12, 12}, 10, 4});
  const TrainingState expected =
      trained(*make(network, 2, everywhere(plain_tiles()), reference_kernels()));
  for (const Kernels* kernels : vector_kernels()) {
    if (kernels->fused) {
      SCOPED_TRACE(kernels->name);
      EXPECT_EQ(trained(*make(network, 2, everywhere(plain_tiles()), *kernels)), expected);
    }
  }
}

TEST(TileExecutor, GivesTheSameBitsByTheProcessorsInstructions) {
  if (amx_tiles() == nullptr) {
    GTEST_SKIP() << amx_facts().reason;
  }
  std::vector<Network> networks = small_networks();
  networks.push_back(build_network("resnet20", {{3, 32, 32}, 10, 16}));
  for (const Network& network : networks) {
    SCOPED_TRACE(network.name);
    EXPECT_EQ(trained(*make(network, 2, everywhere(*amx_tiles()))),
              trained(*make(network, 2, everywhere(plain_tiles()))));
  }
}

TEST(TileExecutor, TrainsToThePinnedBits) {
  const Network network = build_network("resnet8", {{3, 12, 12}, 10, 4});
  const TrainingState state = trained(*make(network, 1, everywhere(plain_tiles())));
  // A change of the order of additions raises results_version of sparse execution.
  EXPECT_EQ(digest_of_weights(state), "096e72f384ce");
}

/// Without a ReLU, whose switching makes any rounding large, and with both kinds of weight
/// gradient, an input that two layers share, and odd numbers of channels.
Network smooth_network() {
  NetworkBuilder net("smooth", {3, 12, 12});
  const std::int32_t first = net.batch_norm("norm1", net.convolution("conv1", 0, 20, {3, 3, 1, 1}));
  const std::int32_t second =
      net.batch_norm("norm2", net.convolution("conv2", first, 20, {3, 3, 1, 1}));
  const std::int32_t sum = net.add("add", second, first);
  const std::int32_t beside = net.convolution("conv3", sum, 17, {3, 3, 2, 1});
  const std::int32_t across = net.convolution("conv4", sum, 17, {1, 1, 2, 0});
  const std::int32_t odd = net.batch_norm("norm3", net.add("add2", beside, across));
  const std::int32_t small = net.convolution("conv5", odd, 9, {3, 3, 2, 1});
  const std::int32_t last = net.convolution("conv6", small, 9, {3, 3, 1, 1});
  net.linear("classifier", net.flatten("flatten", net.global_average_pool("mean", last)), 10);
  return net.finish();
}

/// What is multiplied, weights among it, has eight digits: rounding moves it by 1/1000 on average.
constexpr double kTolerance = 0.015;

TEST(TileExecutor, DiffersFromSinglePrecisionByRoundingAlone) {
  const Network network = smooth_network();
  const OwnedBatch batch = random_batch(network, 128, 6);
  for (const double density : {0.3, 1.0}) {
    SCOPED_TRACE(density);
    const auto tiles = make(network, 2, everywhere(plain_tiles()));
    const auto half = make_sparse_executor(network, 2, Precision::bf16);
    const auto single = make_sparse_executor(network, 2);
    const TrainingState state = random_state(network, density, 5);
    for (Executor* executor : {tiles.get(), half.get(), single.get()}) {
      executor->write(state);
    }
    for (int i = 0; i < 3; ++i) {
      const double loss = single->forward_backward(batch).loss;
      EXPECT_NEAR(tiles->forward_backward(batch).loss, loss, kTolerance * loss);
      half->forward_backward(batch);
      EXPECT_LT(distance(tiles->gradients().weights, single->gradients().weights), kTolerance);
      const double apart = distance(tiles->gradients().weights, half->gradients().weights);
      EXPECT_LT(apart, kTolerance);
      EXPECT_GT(apart, 1e-5) << "nothing ran by tiles";
      for (Executor* executor : {tiles.get(), half.get(), single.get()}) {
        executor->step(sgd_step());
      }
    }
    EXPECT_LT(distance(tiles->read().values.weights, single->read().values.weights), kTolerance);
    const double loss = single->evaluate(batch, {}).loss;
    EXPECT_NEAR(tiles->evaluate(batch, {}).loss, loss, kTolerance * loss);
    const TrainingState before = tiles->read();
    const auto all = tiles->dense_gradients(batch);
    EXPECT_LT(distance(all, single->dense_gradients(batch)), kTolerance);
    EXPECT_EQ(tiles->read(), before);
    // At present connections they are the gradients of a step.
    tiles->forward_backward(batch);
    const Parameters step = tiles->gradients();
    for (std::size_t l = 0; l < all.size(); ++l) {
      state.mask.layers[l].for_each_present([&](std::int64_t i) {
        const std::size_t at = static_cast<std::size_t>(i);
        ASSERT_EQ(step.weights[l][at], all[l][at]) << network.layers[l].name << ", " << i;
      });
    }
  }
}

/// Which layers of an execution run by tiles.
std::vector<bool> by_tiles(const Network& network, const TileChoice& tiles, Precision precision,
                           const std::function<double(const Layer&)>& density) {
  Execution execution = make_execution(network, 1, fastest_kernels(), precision, tiles);
  TrainingState state = random_state(network, 1, 1);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    LayerMask& mask = state.mask.layers[l];
    const std::int64_t count = mask.size();
    mask = LayerMask(count);
    for (std::int64_t i = 0;
         i < std::llround(density(network.layers[l]) * static_cast<double>(count)); ++i) {
      mask.set(i);
    }
  }
  write_layers(execution, state.mask, state.values.weights);
  std::vector<bool> found;
  std::ranges::transform(execution.layers, std::back_inserter(found), &SparseLayer::runs_tiles);
  return found;
}

TEST(TileRule, TakesConvolutionsBetweenTensorsInBf16OfTheDensityOrAbove) {
  const Network network = smooth_network();
  const TileChoice tiles{&plain_tiles(), 0.04};
  const auto all = [](double density) { return [density](const Layer&) { return density; }; };
  // Neither the one that reads images nor the linear layer.
  const std::vector<bool> able{false, true, true, true, true, true, false};
  const std::vector<bool> none(able.size(), false);
  EXPECT_EQ(by_tiles(network, tiles, Precision::bf16, all(1)), able);
  EXPECT_EQ(by_tiles(network, tiles, Precision::bf16, all(0.05)), able);
  EXPECT_EQ(by_tiles(network, tiles, Precision::bf16, all(0.03)), none);
  EXPECT_EQ(by_tiles(network, tiles, Precision::fp32, all(1)), none);
  EXPECT_EQ(by_tiles(network, {}, Precision::bf16, all(1)), none);
  const auto but_one = [](const Layer& layer) { return layer.name == "conv3" ? 0.01 : 0.5; };
  EXPECT_EQ(by_tiles(network, tiles, Precision::bf16, but_one),
            (std::vector<bool>{false, true, false, true, true, true, false}));
}

TEST(TileRule, LeavesLayersAloneThatShareABlockWithOneBelowTheDensity) {
  NetworkBuilder net("shared", {3, 12, 12});
  const std::int32_t first = net.batch_norm("norm1", net.convolution("conv1", 0, 8, {3, 3, 1, 1}));
  const std::int32_t relu = net.relu("relu", first);
  const std::int32_t left = net.convolution("left", relu, 8, {3, 3, 1, 1});
  const std::int32_t right = net.convolution("right", relu, 8, {3, 3, 1, 1});
  const std::int32_t sum = net.batch_norm("norm2", net.add("add", left, right));
  const std::int32_t last = net.convolution("last", sum, 8, {3, 3, 1, 1});
  net.linear("classifier", net.flatten("flatten", net.global_average_pool("mean", last)), 10);
  const Network network = net.finish();
  ASSERT_EQ(make_plan(network, Precision::bf16).value[static_cast<std::size_t>(relu)].kind,
            Room::Kind::block);
  const TileChoice tiles{&plain_tiles(), 0.04};
  const auto but = [](const char* name) {
    return [name](const Layer& layer) { return layer.name == name ? 0.01 : 0.5; };
  };
  EXPECT_EQ(by_tiles(network, tiles, Precision::bf16, but("none")),
            (std::vector<bool>{false, true, true, true, false}));
  EXPECT_EQ(by_tiles(network, tiles, Precision::bf16, but("right")),
            (std::vector<bool>{false, false, false, true, false}));
  // Both forms of the block, one after the other.
  TrainingState state = random_state(network, 0.3, 1);
  const auto changed = make(network, 2, tiles);
  changed->write(state);
  changed->forward_backward(random_batch(network, 20, 3));
  LayerMask few(state.mask.layers[2].size());
  few.set(5);
  state.mask.layers[2] = few;
  for (std::size_t i = 0; i < state.values.weights[2].size(); ++i) {
    if (i != 5) {
      state.values.weights[2][i] = 0;
      state.slots[0].values.weights[2][i] = 0;
    }
  }
  const auto fresh = make(network, 2, tiles);
  for (Executor* executor : {changed.get(), fresh.get()}) {
    executor->write(state);
    executor->forward_backward(random_batch(network, 20, 4));
    executor->step(sgd_step());
  }
  EXPECT_EQ(changed->read(), fresh->read());
}

/// The contract of executors, as for bf16 by present weights.
class TileConformance : public ::testing::TestWithParam<ConformanceCase> {};

TEST_P(TileConformance, Holds) {
  GetParam().check(
      [](const Network& network) { return make(network, 3, everywhere(plain_tiles())); },
      small_networks());
}

TEST_P(TileConformance, HoldsByTheProcessorsInstructions) {
  if (amx_tiles() == nullptr) {
    GTEST_SKIP() << amx_facts().reason;
  }
  GetParam().check(
      [](const Network& network) { return make(network, 3, everywhere(*amx_tiles())); },
      small_networks());
}

INSTANTIATE_TEST_SUITE_P(Executor, TileConformance,
                         ::testing::ValuesIn(conformance_cases_of_any_precision()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace gcg::sparse
