#include "sparse/sparse_executor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <span>
#include <string>

#include "backend/conformance.h"
#include "backend/random_cases.h"
#include "base/throws.h"
#include "graph/networks.h"
#include "sparse/kernels.h"
#include "sparse/training.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

class SparseConformance : public ::testing::TestWithParam<ConformanceCase> {};

TEST_P(SparseConformance, Holds) {
  GetParam().check([](const Network& network) { return make_sparse_executor(network, 1); },
                   all_small_networks());
}

TEST_P(SparseConformance, HoldsWithThreads) {
  GetParam().check([](const Network& network) { return make_sparse_executor(network, 3); },
                   all_small_networks());
}

INSTANTIATE_TEST_SUITE_P(Executor, SparseConformance,
                         ::testing::ValuesIn(conformance_cases().begin(),
                                             conformance_cases().end()),
                         [](const auto& row) { return std::string(row.param.name); });

INSTANTIATE_TEST_SUITE_P(Ranks, SparseConformance,
                         ::testing::ValuesIn(rank_cases().begin(), rank_cases().end()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(SparseExecutor, GivesTheSameBitsForAnyNumberOfThreads) {
  for (const Network& network : all_small_networks()) {
    SCOPED_TRACE(network.name);
    const TrainingState one = trained(*make_sparse_executor(network, 1));
    for (const std::int64_t threads : {2, 3, 5, 16}) {
      SCOPED_TRACE(threads);
      EXPECT_EQ(trained(*make_sparse_executor(network, threads)), one);
    }
  }
}

TEST(SparseExecutor, GivesTheSameBitsForAnyWidthOfVectorsWithFusedMultiplyAdd) {
  for (const Network& network : all_small_networks()) {
    const TrainingState expected =
        trained(*make_sparse_executor(network, 2, sparse::reference_kernels()));
    for (const sparse::Kernels* kernels : sparse::vector_kernels()) {
      if (kernels->fused) {
        SCOPED_TRACE(fmt::format("{}, {}", network.name, kernels->name));
        EXPECT_EQ(trained(*make_sparse_executor(network, 2, *kernels)), expected);
      }
    }
  }
}

TEST(SparseExecutor, TrainsToThePinnedBits) {
  // A change of the order of additions shows here. A deliberate one raises results_version of its
  // row, for it makes other runs of the same options.
  const Network network = build_network("resnet8", {{3, 12, 12}, 10, 4});
  const TrainingState state =
      trained(*make_sparse_executor(network, 1, sparse::reference_kernels()));
  EXPECT_EQ(digest_of_weights(state), "a121f36e9773");
}

TEST(SparseExecutor, LeavesTheLanesBehindTheLastSampleOut) {
  // 16 samples fill a block; the same ones followed by a batch of one leave nothing of themselves.
  const Network network = build_network("resnet8", {{3, 12, 12}, 10, 4});
  const auto used = make_sparse_executor(network, 1);
  const auto fresh = make_sparse_executor(network, 1);
  const TrainingState state = random_state(network, 0.5, 3);
  used->write(state);
  used->forward_backward(random_batch(network, 48, 4));
  for (const auto& executor : {used.get(), fresh.get()}) {
    executor->write(state);
    executor->forward_backward(random_batch(network, 17, 5));
  }
  EXPECT_EQ(used->gradients(), fresh->gradients());
}

TEST(SparseExecutor, KeepsAPresentWeightThatIsZero) {
  const Network network = build_network("mlp", {{4}, 3, 6});
  TrainingState state = random_state(network, 0.5, 6);
  state.mask.layers[0].set(3);
  state.values.weights[0][3] = 0.0F;
  state.slots[0].values.weights[0][3] = 0.0F;
  const auto executor = make_sparse_executor(network, 1);
  executor->write(state);
  executor->forward_backward(random_batch(network, 64, 7));
  executor->step(sgd_step(0.1, 0.9, true, 0));
  EXPECT_TRUE(executor->read().mask.layers[0].test(3));
  EXPECT_NE(executor->read().values.weights[0][3], 0.0F);
}

TEST(SparseExecutor, RunsLayersWithoutAnyConnection) {
  const Network network = build_network("resnet8", {{3, 12, 12}, 10, 4});
  TrainingState state = random_state(network, 0.0, 8);
  const auto executor = make_sparse_executor(network, 2);
  executor->write(state);
  const BatchSums sums = executor->forward_backward(random_batch(network, 20, 9));
  EXPECT_TRUE(std::isfinite(sums.loss));
  EXPECT_EQ(executor->read().mask.present(), 0);
}

TEST(SparseExecutor, RefusesWhatItCannotRun) {
  const Network network = build_network("mlp", {{4}, 3, 5});
  GCG_EXPECT_ERROR(make_sparse_executor(network, 0), HasSubstr("0 threads"));
  GCG_EXPECT_ERROR(make_sparse_executor(network, 1'000'000), HasSubstr("1000000 threads"));
  NetworkBuilder wide("wide", {std::int64_t{1} << 27});
  wide.linear("fc", 0, 2);
  GCG_EXPECT_ERROR(make_sparse_executor(wide.finish(), 1),
                   ::testing::AllOf(HasSubstr("fc"), HasSubstr("index")));
  const auto executor = make_sparse_executor(network, 1);
  executor->write(random_state(network, 0.5, 1));
  executor->forward_backward(random_batch(network, 4, 1));
}

}  // namespace
}  // namespace gcg
