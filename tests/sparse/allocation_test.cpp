// What the sparse executor asks of the heap: nothing in a step, and bytes that follow the density.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "backend/random_cases.h"
#include "backend/slots.h"
#include "base/heap.h"
#include "graph/networks.h"
#include "growth/seed.h"
#include "sparse/sparse_executor.h"
#include "sparse/tiles.h"

namespace gcg {
namespace {

using testing::heap_allocations;
using testing::heap_bytes;
using testing::heap_peak;
using testing::reset_heap_peak;

TEST(Heap, IsCounted) {
  const std::int64_t calls = heap_allocations();
  const std::int64_t before = heap_bytes();
  auto block = std::make_unique<std::vector<char>>(1 << 20);
  const std::int64_t with = heap_bytes();
  EXPECT_GE(heap_allocations(), calls + 2);
  EXPECT_GE(with - before, 1 << 20);
  block.reset();
  EXPECT_GE(with - heap_bytes(), 1 << 20);
  EXPECT_GE(heap_peak(), with);
}

/// LLVM's OpenMP, which Clang uses, takes memory for the arguments of a parallel region.
#ifdef __clang__
constexpr bool kThreadsTakeNone = false;
#else
constexpr bool kThreadsTakeNone = true;
#endif

TEST(SparseMemory, AStepTakesNone) {
  std::vector<Network> networks = all_small_networks();
  networks.push_back(build_network("resnet20", {{3, 32, 32}, 10, 4}));
  for (const Network& network : networks) {
    const sparse::TileChoice none{};
    const sparse::TileChoice tiles{&sparse::plain_tiles(), 0};
    for (const auto& [threads, precision, choice] :
         {std::tuple(1, Precision::fp32, none), std::tuple(2, Precision::fp32, none),
          std::tuple(1, Precision::bf16, none), std::tuple(2, Precision::bf16, none),
          std::tuple(1, Precision::bf16, tiles), std::tuple(2, Precision::bf16, tiles)}) {
      SCOPED_TRACE(fmt::format("{}, {} threads, {}{}", network.name, threads,
                               kPrecisionNames[static_cast<std::size_t>(precision)],
                               choice.kernels != nullptr ? " by tiles" : ""));
      const auto executor =
          make_sparse_executor(network, threads, sparse::fastest_kernels(), precision, choice);
      executor->write(random_state(network, 0.3, 1));
      const OwnedBatch large = random_batch(network, 40, 2);
      const OwnedBatch small = random_batch(network, 23, 3);
      executor->forward_backward(large);
      executor->step(sgd_step());
      const OptimiserStep step = sgd_step();
      const std::int64_t before = heap_allocations();
      for (const OwnedBatch* batch : {&small, &large}) {
        executor->forward_backward(*batch);
        executor->step(step);
        executor->evaluate(*batch, {});
      }
      if (threads == 1 || kThreadsTakeNone) {
        EXPECT_EQ(heap_allocations() - before, 0);
      }
    }
  }
}

/// Bytes of weights, gradients and momentum of a dense training: what a mask could at best save.
double dense_bytes(const Network& network) {
  return 3.0 * sizeof(float) * static_cast<double>(network.connections());
}

TrainingState erk_state(const Network& network, double density) {
  const Seed seed = make_seed(network, initial_parameters(network, 1), "erk", density,
                              DisconnectedPolicy::warn, 1);
  TrainingState state = initial_state(network, seed.mask, 1);
  state.slots = empty_slots(network, find_optimiser("sgd"));
  return state;
}

TEST(SparseMemory, WeightsGradientsIndicesAndMomentumFollowTheDensity) {
  // Before the first batch an executor holds these and nothing of a batch. A tenth of the
  // connections takes at most a fourth of the memory, also while the mask changes.
  const Network network = build_network("resnet20", {{3, 32, 32}, 10, 16});
  const TrainingState state = erk_state(network, 0.1);
  TrainingState grown = state;
  grown.mask = erk_state(network, 0.125).mask;
  unite(grown.mask, state.mask);
  const std::int64_t before = heap_bytes();
  const auto executor = make_sparse_executor(network, 1);
  reset_heap_peak();
  executor->write(state);
  const std::int64_t held = heap_bytes() - before;
  EXPECT_LE(static_cast<double>(held), 0.25 * dense_bytes(network));
  EXPECT_LE(static_cast<double>(heap_peak() - before), 0.25 * dense_bytes(network));
  reset_heap_peak();
  executor->write(grown);
  EXPECT_LE(static_cast<double>(heap_peak() - before), 2 * 0.25 * dense_bytes(network));
}

}  // namespace
}  // namespace gcg
