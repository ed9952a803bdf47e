#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "backend/random_cases.h"
#include "base/throws.h"
#include "dense/curvature.h"
#include "dense/torch_executor.h"
#include "graph/networks.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;
using Values = std::vector<std::vector<float>>;

double relative_error(const Values& found, const Values& exact) {
  double norm = 0;
  double error = 0;
  for (std::size_t l = 0; l < exact.size(); ++l) {
    for (std::size_t i = 0; i < exact[l].size(); ++i) {
      norm += std::pow(double{exact[l][i]}, 2);
      error += std::pow(double{exact[l][i]} - double{found[l][i]}, 2);
    }
  }
  return std::sqrt(error / norm);
}

Values gradients(const Network& network, const TrainingState& state, const Batch& batch) {
  const auto executor = make_torch_executor(network, 1);
  executor->write(state);
  return executor->dense_gradients(batch);
}

TEST(HessianProduct, InSinglePrecisionAgreesWithDoubleOnEveryKindOfNetwork) {
  for (const Network& network : all_small_networks()) {
    if (!has_variance(network, 8)) {
      continue;
    }
    SCOPED_TRACE(network.name);
    const TrainingState state = random_state(network, 0.7, 3);
    const OwnedBatch batch = random_batch(network, 8, 5);
    const Values direction = gradients(network, state, batch);
    const Values exact = hessian_product(network, state, direction, batch, 1, true);
    const Values found = hessian_product(network, state, direction, batch, 1);
    EXPECT_LT(relative_error(found, exact), 1e-3);
    for (std::size_t l = 0; l < found.size(); ++l) {
      for (std::size_t i = 0; i < found[l].size(); ++i) {
        if (!state.mask.layers[l].test(static_cast<std::int64_t>(i))) {
          EXPECT_EQ(found[l][i], 0.0F);
        }
      }
    }
  }
}

// Without kinks a difference of the executor's gradients is right too.
TEST(HessianProduct, AgreesWithDifferencesOfGradientsWhereThereAreNoKinks) {
  NetworkBuilder net("smooth", {3, 6, 6});
  std::int32_t x = net.convolution("conv1", 0, 5, {3, 3, 1, 1});
  const std::int32_t first = net.batch_norm("norm1", x);
  x = net.convolution("conv2", first, 5, {3, 3, 1, 1}, true);
  x = net.add("add", net.drop_path("drop", x, 0.3), first);
  x = net.batch_norm("norm2", net.average_pool("pool", x, {2, 2, 2, 0}));
  net.linear("fc", net.flatten("flatten", x), 4);
  const Network network = net.finish();
  const TrainingState state = random_state(network, 0.8, 2);
  const OwnedBatch batch = soft_batch(network, 32, 4);
  const Values direction = gradients(network, state, batch);
  TrainingState ahead = state;
  TrainingState behind = state;
  constexpr float step = 1e-2F;
  for (std::size_t l = 0; l < direction.size(); ++l) {
    state.mask.layers[l].for_each_present([&](std::int64_t i) {
      const auto c = static_cast<std::size_t>(i);
      ahead.values.weights[l][c] += step * direction[l][c];
      behind.values.weights[l][c] -= step * direction[l][c];
    });
  }
  const Values right = gradients(network, ahead, batch);
  const Values left = gradients(network, behind, batch);
  Values expected = right;
  for (std::size_t l = 0; l < right.size(); ++l) {
    for (std::size_t i = 0; i < right[l].size(); ++i) {
      const bool present = state.mask.layers[l].test(static_cast<std::int64_t>(i));
      expected[l][i] = present ? (right[l][i] - left[l][i]) / (2 * step) : 0.0F;
    }
  }
  EXPECT_LT(relative_error(hessian_product(network, state, direction, batch, 1), expected), 0.01);
}

TEST(HessianProduct, WhatDoesNotFitIsAnErrorThatNamesIt) {
  const Network network = build_network("resnet8", {{3, 8, 8}, 10, 4});
  const TrainingState state = random_state(network, 0.7, 3);
  const OwnedBatch batch = random_batch(network, 8, 5);
  Values direction = state.values.weights;
  direction[2].pop_back();
  GCG_EXPECT_ERROR(hessian_product(network, state, direction, batch, 1),
                   HasSubstr(network.layers[2].name + ": a direction of"));
  direction.pop_back();
  GCG_EXPECT_ERROR(hessian_product(network, state, direction, batch, 1),
                   HasSubstr("directions of"));
}

}  // namespace
}  // namespace gcg
