#include "paths/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/throws.h"
#include "topology/mask_literals.h"
#include "topology/reachability.h"
#include "topology/scalar_paths.h"

namespace gcg {
namespace {

using testing::with;

using ::testing::ElementsAre;
using testing::Step;
using ::testing::StrEq;

/// Initial weights, zero where absent, as a training run holds them.
Parameters masked_parameters(const Network& network, const Mask& mask, std::uint64_t seed) {
  Parameters parameters = initial_parameters(network, seed);
  for (std::size_t l = 0; l < mask.layers.size(); ++l) {
    for (std::int64_t i = 0; i < mask.layers[l].size(); ++i) {
      if (!mask.layers[l].test(i)) {
        parameters.weights[l][static_cast<std::size_t>(i)] = 0;
      }
    }
  }
  return parameters;
}

MaskStatistics first_stage(const Network& network, const Mask& mask,
                           const StatisticsRequest& request = {}) {
  return mask_statistics(network, masked_parameters(network, mask, 1), mask, nullptr, mask,
                         request);
}

/// One hidden layer.
Network mlp(std::int64_t inputs, std::int64_t hidden, std::int64_t outputs) {
  NetworkBuilder net("mlp", {inputs, 1, 1});
  net.linear("fc2", net.relu("relu", net.linear("fc1", 0, hidden)), outputs);
  return net.finish();
}

/// A strided convolution with padding, two branches that are added, a linear layer.
Network branched() {
  NetworkBuilder net("branched", {2, 4, 3});
  const std::int32_t stem = net.relu("relu", net.convolution("stem", 0, 2, {3, 3, 1, 1}));
  const std::int32_t left = net.convolution("left", stem, 2, {3, 3, 2, 1});
  const std::int32_t right = net.convolution("right", stem, 2, {1, 1, 2, 0});
  net.linear("fc", net.flatten("flatten", net.add("add", left, right)), 2);
  return net.finish();
}

TEST(MaskStatistics, OfASmallNetworkCountedByHand) {
  const Network network = mlp(3, 4, 2);
  Mask mask(network, false);
  // Unit 0 reads inputs 0 and 1, unit 1 input 1, unit 2 nothing, unit 3 input 2.
  mask.layers[0] = with(12, {0, 1, 4, 11});
  // Logit 0 reads units 0 and 2, logit 1 units 0 and 3; nobody reads unit 1.
  mask.layers[1] = with(8, {0, 2, 4, 7});
  const MaskStatistics statistics = first_stage(network, mask);

  ASSERT_EQ(statistics.layers.size(), 2U);
  const LayerStatistics& first = statistics.layers[0];
  EXPECT_EQ(first.present, 4);
  EXPECT_EQ(first.effective, 3);
  EXPECT_EQ(first.dead_inputs, 0);
  EXPECT_EQ(first.dead_outputs, 2);
  EXPECT_THAT(first.in_degree, ElementsAre(2, 1, 0, 1));
  EXPECT_THAT(first.out_degree, ElementsAre(1, 2, 1));
  const LayerStatistics& second = statistics.layers[1];
  EXPECT_EQ(second.present, 4);
  EXPECT_EQ(second.effective, 3);
  EXPECT_EQ(second.dead_inputs, 2);
  EXPECT_EQ(second.dead_outputs, 0);
  EXPECT_THAT(second.in_degree, ElementsAre(2, 2));
  EXPECT_THAT(second.out_degree, ElementsAre(2, 0, 1, 1));

  EXPECT_EQ(statistics.present, 8);
  EXPECT_EQ(statistics.density, 8.0 / 20);
  EXPECT_EQ(statistics.effective_density, 6.0 / 20);
  EXPECT_EQ(statistics.disconnected_units, 2);
  EXPECT_EQ(statistics.fewest_live_channels, 2);
  EXPECT_EQ(statistics.inference_flops, 2 * 8);
  EXPECT_EQ(statistics.narrowest_layer, 4);
}

TEST(MaskStatistics, DegreesOfAConvolutionCountTaps) {
  const Network network = branched();
  Mask mask(network, true);
  mask.layers[0] = with(36, {0, 8, 9, 35});  // [2][2][3][3]
  const MaskStatistics statistics = first_stage(network, mask);
  EXPECT_THAT(statistics.layers[0].in_degree, ElementsAre(3, 1));
  EXPECT_THAT(statistics.layers[0].out_degree, ElementsAre(2, 2));
  EXPECT_EQ(statistics.inference_flops, 2 * (4 * 12 + 36 * 4 + 4 * 4 + 16));
}

TEST(MaskStatistics, CompareWithTheStageBeforeAndAllStages) {
  const Network network = mlp(3, 4, 2);
  Mask first(network, false);
  first.layers[0] = with(12, {0, 1, 4, 11});
  first.layers[1] = with(8, {0, 4});
  Mask second = first;
  second.layers[0] = with(12, {0, 1, 5});
  Mask ever = first;
  unite(ever, second);
  ever.layers[1].set(7);  // present at a stage in between

  const Parameters parameters = masked_parameters(network, second, 1);
  const MaskStatistics statistics = mask_statistics(network, parameters, second, &first, ever, {});
  EXPECT_EQ(statistics.layers[0].overlap_previous, 2.0 / 5);
  EXPECT_EQ(statistics.layers[1].overlap_previous, 1);
  EXPECT_EQ(statistics.overlap_previous, 4.0 / 7);
  EXPECT_EQ(statistics.layers[0].ever_present, 5);
  EXPECT_EQ(statistics.layers[1].ever_present, 3);
  EXPECT_EQ(statistics.ever_present_share, 8.0 / 20);
}

TEST(MaskStatistics, TheFirstStageHasNoOverlap) {
  const Network network = mlp(3, 4, 2);
  const MaskStatistics statistics = first_stage(network, Mask(network, true));
  EXPECT_TRUE(std::isnan(statistics.overlap_previous));
  EXPECT_TRUE(std::isnan(statistics.layers[0].overlap_previous));
  EXPECT_EQ(statistics.ever_present_share, 1);
}

TEST(MaskStatistics, PathNormAndTraceAreThoseOfTheListOfAllPaths) {
  const Network network = branched();
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomStream stream(seed, "test");
    const Mask mask = testing::random_mask(network, 0.4, stream);
    const Parameters parameters = masked_parameters(network, mask, seed);
    double norm = 0;
    double trace = 0;
    testing::for_each_path(network, mask, [&](std::span<const Step> path) {
      std::vector<double> weights;
      double product = 1;
      for (const Step& step : path) {
        if (step.connection >= 0) {
          const std::int32_t layer = network.nodes[static_cast<std::size_t>(step.node)].layer;
          weights.push_back(std::abs(parameters.weights[static_cast<std::size_t>(
              layer)][static_cast<std::size_t>(step.connection)]));
          product *= weights.back();
        }
      }
      norm += product;
      for (const double weight : weights) {
        trace += std::pow(product / weight, 2);
      }
    });
    const MaskStatistics statistics = mask_statistics(network, parameters, mask, nullptr, mask, {});
    if (norm == 0) {
      EXPECT_EQ(statistics.log_path_norm, -std::numeric_limits<double>::infinity());
      EXPECT_EQ(statistics.log_path_kernel_trace, -std::numeric_limits<double>::infinity());
    } else {
      EXPECT_NEAR(statistics.log_path_norm, std::log(norm), 1e-9);
      EXPECT_NEAR(statistics.log_path_kernel_trace, std::log(trace), 1e-9);
    }
  }
}

TEST(MaskStatistics, AgreeWithReachabilityOnRandomNetworks) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomStream stream(seed, "test");
    const Network network = testing::random_network(stream);
    const Mask mask = testing::random_mask(network, 0.3, stream);
    const MaskStatistics statistics = first_stage(network, mask);
    std::int64_t effective = 0;
    std::int64_t dead_outputs = 0;
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      const LayerStatistics& layer = statistics.layers[l];
      effective += layer.effective;
      dead_outputs += layer.dead_outputs;
      EXPECT_LE(layer.effective, layer.present);
      EXPECT_EQ(layer.present, std::accumulate(layer.in_degree.begin(), layer.in_degree.end(), 0));
      EXPECT_EQ(layer.present,
                std::accumulate(layer.out_degree.begin(), layer.out_degree.end(), 0));
      const std::vector<bool> dead = reachability(network, mask).dead_inputs[l];
      EXPECT_EQ(layer.dead_inputs, std::count(dead.begin(), dead.end(), true));
    }
    EXPECT_EQ(statistics.disconnected_units, dead_outputs);
    EXPECT_EQ(statistics.effective_density,
              static_cast<double>(effective) / static_cast<double>(network.connections()));
    EXPECT_EQ(statistics.effective_density > 0, std::isfinite(statistics.log_path_norm));
  }
}

TEST(MaskStatistics, CoreOfEqualUnitsIsTheShareOfThem) {
  const Network network = mlp(3, 10, 2);
  const Mask mask(network, true);
  Parameters parameters = initial_parameters(network, 1);
  for (std::vector<float>& weights : parameters.weights) {
    weights.assign(weights.size(), 0.5F);
  }
  StatisticsRequest request;
  request.tau = 0.85;
  const MaskStatistics statistics =
      mask_statistics(network, parameters, mask, nullptr, mask, request);
  EXPECT_EQ(statistics.tau_core_units, 9);
  EXPECT_EQ(statistics.tau_core_units_random, 9);  // dense stays dense, and all weights are equal
  EXPECT_EQ(statistics.narrowest_layer, 10);
}

// Everything goes through 2 of 20 units; the same connections spread over the layers need more.
TEST(MaskStatistics, TheCoreOfABottleneckIsSmallerThanThatOfTheScatteredMask) {
  const Network network = mlp(30, 20, 30);
  Mask mask(network, false);
  for (std::int64_t i = 0; i < 30; ++i) {
    for (const std::int64_t unit : {3, 8}) {
      mask.layers[0].set(unit * 30 + i);
      mask.layers[1].set(i * 20 + unit);
    }
  }
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    StatisticsRequest request;
    request.seed = seed;
    const MaskStatistics statistics = first_stage(network, mask, request);
    EXPECT_EQ(statistics.tau_core_units, 2);
    EXPECT_GT(statistics.tau_core_units_random, 5);
  }
}

// One unit holds all large weights; the random mask has them too, but anywhere.
TEST(MaskStatistics, TheRandomMaskTakesTheWeightsAlong) {
  const Network network = mlp(20, 20, 1);
  const Mask mask(network, true);
  Parameters parameters = initial_parameters(network, 1);
  parameters.weights[0].assign(parameters.weights[0].size(), 1e-4F);
  std::fill_n(parameters.weights[0].begin() + 3 * 20, 20, 1.0F);
  parameters.weights[1].assign(parameters.weights[1].size(), 1.0F);
  const MaskStatistics statistics = mask_statistics(network, parameters, mask, nullptr, mask, {});
  EXPECT_EQ(statistics.tau_core_units, 1);
  EXPECT_GT(statistics.tau_core_units_random, 5);
}

TEST(MaskStatistics, TheRandomMaskDependsOnSeedAndStageAlone) {
  const Network network = mlp(12, 40, 12);
  RandomStream stream(1, "test");
  const Mask mask = testing::random_mask(network, 0.2, stream);
  const auto cores = [&](std::uint64_t seed, std::uint64_t stage) {
    StatisticsRequest request;
    request.seed = seed;
    request.stage = stage;
    return first_stage(network, mask, request).tau_core_units_random;
  };
  std::set<std::int64_t> over_seeds;
  std::set<std::int64_t> over_stages;
  for (std::uint64_t i = 0; i < 12; ++i) {
    EXPECT_EQ(cores(i, 3), cores(i, 3));
    over_seeds.insert(cores(i, 0));
    over_stages.insert(cores(0, i));
  }
  EXPECT_GT(over_seeds.size(), 1U);
  EXPECT_GT(over_stages.size(), 1U);
}

TEST(MaskStatistics, RefuseWhatDoesNotFitTogether) {
  const Network network = mlp(3, 4, 2);
  const Mask mask(network, true);
  const Parameters parameters = initial_parameters(network, 1);
  Mask less = mask;
  less.layers[1].reset(5);
  GCG_EXPECT_ERROR(mask_statistics(network, parameters, mask, nullptr, less, {}),
                   StrEq("mlp: fc2: the union of all stages lacks connections of this one"));
  Mask other = mask;
  other.layers[0] = LayerMask(5);
  constexpr const char* text = "mlp: fc1: the mask has 5 connections, the layer 12";
  GCG_EXPECT_ERROR(mask_statistics(network, parameters, other, nullptr, mask, {}), StrEq(text));
  GCG_EXPECT_ERROR(mask_statistics(network, parameters, mask, &other, mask, {}), StrEq(text));
  GCG_EXPECT_ERROR(mask_statistics(network, parameters, mask, nullptr, other, {}), StrEq(text));
  Parameters bad = parameters;
  bad.weights[0].pop_back();
  GCG_EXPECT_ERROR(mask_statistics(network, bad, mask, nullptr, mask, {}),
                   StrEq("mlp: fc1 weight: 11 values, expected 12"));
}

}  // namespace
}  // namespace gcg
