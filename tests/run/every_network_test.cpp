// Every network of the table, narrow, under a mask: one step on either executor.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backend/random_cases.h"
#include "dense/torch_executor.h"
#include "graph/networks.h"
#include "sparse/sparse_executor.h"

namespace gcg {
namespace {

struct EveryNetworkRuns : ::testing::TestWithParam<NetworkEntry> {
  Network network = build_network(
      GetParam().name, {{3, 32, 32}, 10, std::max<std::int64_t>(6, GetParam().default_width / 16)});
  TrainingState state = random_state(network, 0.3, 1);
  OwnedBatch batch = random_batch(network, 16, 2);
};

TEST_P(EveryNetworkRuns, MaskedAndSparseAlike) {
  const auto dense = make_torch_executor(network, 1);
  const auto sparse = make_sparse_executor(network, 1);
  BatchSums sums[2];
  Parameters gradients[2];
  int i = 0;
  for (Executor* executor : {dense.get(), sparse.get()}) {
    executor->write(state);
    sums[i] = executor->forward_backward(batch);
    gradients[i] = executor->gradients();
    executor->step(sgd_step());
    check_mask_invariant(network, executor->read());
    ++i;
  }
  EXPECT_TRUE(std::isfinite(sums[0].loss));
  EXPECT_NEAR(sums[1].loss / sums[0].loss, 1, 1e-4);
  double norm = 0;
  double error = 0;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    for (std::size_t c = 0; c < gradients[0].weights[l].size(); ++c) {
      norm += std::pow(double{gradients[0].weights[l][c]}, 2);
      error += std::pow(double{gradients[0].weights[l][c]} - double{gradients[1].weights[l][c]}, 2);
    }
  }
  EXPECT_GT(norm, 0);
  EXPECT_LT(std::sqrt(error / norm),
            0.1);  // a deep network amplifies rounding, and a ReLU near zero can turn
}

INSTANTIATE_TEST_SUITE_P(Table, EveryNetworkRuns, ::testing::ValuesIn(network_table()),
                         [](const auto& entry) { return std::string(entry.param.name); });

}  // namespace
}  // namespace gcg
