#include "paths/sums.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/throws.h"
#include "graph/networks.h"
#include "paths/reference.h"

namespace gcg::testing {
namespace {

using ::testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Equal up to rounding, with an exact zero where a zero is expected.
void expect_close(double found, double expected, double tolerance = 1e-12) {
  EXPECT_LE(std::abs(found - expected), tolerance * expected) << found << " for " << expected;
}

/// Calls f on random tiny networks, every fifth a transformer, with random masks and parameters,
/// for all options.
template <typename F>
void for_random_cases(int count, F f) {
  for (int seed = 0; count > 0; ++seed) {
    RandomStream stream(static_cast<std::uint64_t>(seed), "path-sums-test");
    const bool two_blocks = seed % 10 == 9;
    const Network network =
        seed % 5 == 4 ? tiny_transformer(two_blocks ? 2 : 1) : random_network(stream);
    const Parameters parameters = random_parameters(network, stream);
    const Mask mask = random_mask(network, two_blocks ? 0.4 : 0.4 + 0.6 * stream.uniform(), stream);
    if (PathReference(network, parameters, mask, {}).paths() > 4000) {
      continue;
    }
    --count;
    for (const PathNorm norm : {PathNorm::folded, PathNorm::identity}) {
      for (const int power : {1, 2}) {
        SCOPED_TRACE(fmt::format("seed {}, power {}, {}", seed, power,
                                 norm == PathNorm::folded ? "folded" : "identity"));
        f(network, parameters, mask, PathOptions{norm, power});
      }
    }
  }
}

TEST(PathSums, AgreeWithEveryPathEnumerated) {
  int with_paths = 0;
  for_random_cases(25, [&](const Network& network, const Parameters& parameters, const Mask& mask,
                           const PathOptions& options) {
    const PathReference reference(network, parameters, mask, options);
    const PathSums sums = path_sums(network, parameters, mask, options);
    const PathReference::Sweeps expected = reference.sweeps();
    for (std::size_t n = 0; n < network.nodes.size(); ++n) {
      SCOPED_TRACE(network.nodes[n].name);
      ASSERT_EQ(std::ssize(sums.complexity[n].values), network.nodes[n].shape.elements());
      for (std::int64_t e = 0; e < network.nodes[n].shape.elements(); ++e) {
        // An element without any path to or from it is not seen by the enumeration.
        if (expected.complexity[n][e] != 0 || value(sums.generality[n], e) != 0) {
          expect_close(value(sums.complexity[n], e), expected.complexity[n][e]);
        }
        if (expected.generality[n][e] != 0 || value(sums.complexity[n], e) != 0) {
          expect_close(value(sums.generality[n], e), expected.generality[n][e]);
        }
      }
    }
    const double total = reference.total();
    with_paths += total > 0 ? 1 : 0;
    expect_close(std::exp(sums.log_path_norm), total);
  });
  EXPECT_GT(with_paths, 50);
}

TEST(PathSums, OfConnectionsAgreeWithEveryPathEnumeratedPresentOrAbsent) {
  for_random_cases(25, [](const Network& network, const Parameters& parameters, const Mask& mask,
                          const PathOptions& options) {
    const auto expected = PathReference(network, parameters, mask, options).connection_sums();
    const auto sums = connection_path_sums(network, path_sums(network, parameters, mask, options));
    ASSERT_EQ(sums.size(), network.layers.size());
    for (std::size_t l = 0; l < sums.size(); ++l) {
      SCOPED_TRACE(network.layers[l].name);
      ASSERT_EQ(sums[l].values.size(), expected[l].size());
      for (std::size_t c = 0; c < expected[l].size(); ++c) {
        expect_close(value(sums[l], static_cast<std::int64_t>(c)), expected[l][c]);
      }
    }
  });
}

TEST(PathSums, OfConnectionsAreTheSameBitsWhenTheSumsOfNodesAreNotKept) {
  const auto expect_same = [](const Network& network, const Parameters& parameters,
                              const Mask& mask, const PathOptions& options) {
    const auto kept = connection_path_sums(network, path_sums(network, parameters, mask, options));
    const auto passing = connection_path_sums(network, parameters, mask, options);
    ASSERT_EQ(passing.size(), kept.size());
    for (std::size_t l = 0; l < kept.size(); ++l) {
      EXPECT_EQ(passing[l].values, kept[l].values);
      EXPECT_EQ(passing[l].log_scale, kept[l].log_scale);
    }
  };
  for_random_cases(25, expect_same);
  // A node that is added to itself, one that is read by a layer and by others before and after it,
  // and magnitudes that leave the range of the values.
  NetworkBuilder net("shared", {2, 4, 4});
  std::int32_t x = net.batch_norm("norm", net.convolution("a", 0, 2, {3, 3, 1, 1}));
  x = net.add("twice", x, x);
  const std::int32_t b = net.convolution("b", x, 2, {3, 3, 1, 1});
  x = net.add("add1", net.relu("relu", x), net.batch_norm("norm_b", b));
  x = net.add("add2", net.convolution("c", x, 2, {1, 1, 1, 0}), b);
  net.linear("linear", net.flatten("flatten", net.max_pool("pool", x, {2, 2, 2, 0})), 3);
  const Network network = net.finish();
  RandomStream stream(1, "path-sums-test");
  for (const float magnitude : {1.0F, 1e30F, 1e-30F}) {
    Parameters parameters = random_parameters(network, stream);
    for (std::size_t l = 0; l < parameters.weights.size(); l += 2) {
      for (float& weight : parameters.weights[l]) {
        weight *= magnitude;
      }
    }
    const Mask mask = random_mask(network, 0.6, stream);
    for (const int power : {1, 2}) {
      expect_same(network, parameters, mask, {PathNorm::folded, power});
    }
  }
}

TEST(PathSums, TraceAgreesWithEveryPathEnumerated) {
  for_random_cases(25, [](const Network& network, const Parameters& parameters, const Mask& mask,
                          const PathOptions& options) {
    if (options.power == 2) {
      const double expected = PathReference(network, parameters, mask, options).trace();
      expect_close(std::exp(log_path_kernel_trace(network, parameters, mask, options)), expected);
    }
  });
}

TEST(PathSums, TraceIsTheSumOfSquaredPathSumsAtPresentConnections) {
  const Network network = build_network("resnet8", {{3, 9, 9}, 10, 4});
  RandomStream stream(5, "path-sums-test");
  const Parameters parameters = random_parameters(network, stream);
  const Mask mask = random_mask(network, 0.3, stream);
  const auto sums =
      connection_path_sums(network, path_sums(network, parameters, mask, {PathNorm::folded, 2}));
  double trace = 0;
  for (std::size_t l = 0; l < sums.size(); ++l) {
    mask.layers[l].for_each_present([&](std::int64_t c) { trace += value(sums[l], c); });
  }
  EXPECT_NEAR(log_path_kernel_trace(network, parameters, mask), std::log(trace), 1e-12);
}

TEST(PathSums, OfSquaresAreTheTracesGainFromOneNewConnectionOfWeightZero) {
  for_random_cases(25, [](const Network& network, const Parameters& parameters, const Mask& mask,
                          const PathOptions& options) {
    // With folded normalisation a new connection may also wake a unit and so change its scale.
    if (options.power != 2 || options.norm != PathNorm::identity) {
      return;
    }
    const auto sums = connection_path_sums(network, path_sums(network, parameters, mask, options));
    const double before = std::exp(log_path_kernel_trace(network, parameters, mask, options));
    for (std::size_t l = 0; l < sums.size(); ++l) {
      for (std::int64_t c = 0; c < mask.layers[l].size(); ++c) {
        if (!mask.layers[l].test(c)) {
          Mask grown = mask;
          grown.layers[l].set(c);
          Parameters start = parameters;
          start.weights[l][c] = 0;
          const double after = std::exp(log_path_kernel_trace(network, start, grown, options));
          EXPECT_NEAR(after - before, value(sums[l], c), 1e-12 * after);
        }
      }
    }
  });
}

TEST(PathSums, TraceGrowsWithTheSquareOfANewConnectionsWeightFromThatGainOn) {
  // 2 -> 2 -> 1: two paths from each input. Trace: the sum over paths of a^2 + b^2.
  NetworkBuilder net("tiny", {2, 1, 1});
  net.linear("b", net.linear("a", 0, 2, false), 1, false);
  const Network network = net.finish();
  Parameters parameters = zero_slots(network);
  parameters.weights = {{1, 2, 3, 4}, {5, 6}};
  Mask mask(network, true);
  const auto trace = [&] { return std::exp(log_path_kernel_trace(network, parameters, mask)); };
  // Paths (1,5) (2,5) (3,6) (4,6).
  EXPECT_NEAR(trace(), 1 + 25 + 4 + 25 + 9 + 36 + 16 + 36, 1e-11);
  mask.layers[0].reset(0);
  EXPECT_NEAR(trace(), 4 + 25 + 9 + 36 + 16 + 36, 1e-11);
  const auto sums =
      connection_path_sums(network, path_sums(network, parameters, mask, {PathNorm::folded, 2}));
  EXPECT_NEAR(value(sums[0], 0), 25, 1e-12);
  mask.layers[0].set(0);
  for (const float weight : {0.0F, 0.5F, -3.0F}) {
    parameters.weights[0][0] = weight;
    // The gain, and weight^2 times what the new path gives the other connections on it.
    EXPECT_NEAR(trace(), 126 + 25 + weight * weight * 1.0, 1e-11);
  }
}

TEST(PathSums, CountPathsWhenEveryWeightIsOne) {
  const Network network = build_network("mlp", {{4, 1, 1}, 3, 6});
  Parameters parameters = zero_slots(network);
  for (auto& weights : parameters.weights) {
    weights.assign(weights.size(), -1.0F);
  }
  const PathSums sums = path_sums(network, parameters, Mask(network, true));
  EXPECT_NEAR(std::exp(sums.log_path_norm), 4 * 6 * 2 * 3, 1e-10);
  const auto connections = connection_path_sums(network, sums);
  EXPECT_NEAR(value(connections[0], 0), 2 * 3, 1e-12);
  EXPECT_NEAR(value(connections[1], 0), 4 * 3, 1e-12);
  EXPECT_NEAR(value(connections[2], 0), 4 * 6, 1e-12);
}

TEST(PathSums, OfANetworkWithoutPathsAreZeroAndTheirLogarithmsMinusInfinity) {
  const Network network = build_network("resnet8", {{3, 8, 8}, 10, 4});
  const Parameters parameters = initial_parameters(network, 1);
  Mask cut(network, true);
  cut.layers[0] = LayerMask(cut.layers[0].size());
  for (const Mask& mask : {Mask(network, false), cut}) {
    const PathSums sums = path_sums(network, parameters, mask);
    EXPECT_EQ(sums.log_path_norm, -kInfinity);
    EXPECT_EQ(log_path_kernel_trace(network, parameters, mask), -kInfinity);
    for (const double v : sums.complexity.back().values) {
      EXPECT_EQ(v, 0);
    }
    const auto connections = connection_path_sums(network, sums);
    for (std::size_t l = 1; l < connections.size(); ++l) {
      EXPECT_EQ(*std::max_element(connections[l].values.begin(), connections[l].values.end()), 0);
    }
  }
  // The cut layer is the only one whose new connections would make paths.
  const auto connections = connection_path_sums(network, path_sums(network, parameters, cut));
  EXPECT_GT(*std::min_element(connections[0].values.begin(), connections[0].values.end()), 0);
}

TEST(PathSums, SurviveAThousandLayersOfTinyOrHugeWeights) {
  constexpr int kLayers = 1000;
  constexpr double kWidth = 3;
  NetworkBuilder net("deep", {3, 1, 1});
  std::int32_t x = 0;
  for (int l = 0; l < kLayers; ++l) {
    x = net.linear(fmt::format("fc{}", l), x, 3, false);
    if (l + 1 < kLayers) {
      x = net.relu(fmt::format("relu{}", l), x);
    }
  }
  const Network network = net.finish();
  for (const float weight : {1e-30F, 1e30F, 1e-45F, 3e38F}) {
    for (const int power : {1, 2}) {
      Parameters parameters = zero_slots(network);
      for (auto& weights : parameters.weights) {
        weights.assign(weights.size(), weight);
      }
      const double log_weight = power * std::log(static_cast<double>(weight));
      const PathOptions options{PathNorm::folded, power};
      const PathSums sums = path_sums(network, parameters, Mask(network, true), options);
      const double expected = (kLayers + 1) * std::log(kWidth) + kLayers * log_weight;
      EXPECT_NEAR(sums.log_path_norm / expected, 1, 1e-13);
      const double through = (kLayers - 1) * (std::log(kWidth) + log_weight);
      for (const ScaledArray& layer : connection_path_sums(network, sums)) {
        for (const double v : layer.values) {
          ASSERT_NEAR((std::log(v) + layer.log_scale) / through, 1, 1e-13);
        }
      }
      if (power == 2) {
        // 9 connections in each layer, each with the same sum.
        const double trace = std::log(9.0 * kLayers) + through;
        EXPECT_NEAR(log_path_kernel_trace(network, parameters, Mask(network, true)) / trace, 1,
                    1e-13);
      }
    }
  }
}

TEST(PathSums, BringBranchesOfVeryDifferentMagnitudeToOneScale) {
  // Two chains of 40 layers, one of weights 1e-30, one of weights 1, added at the end: the small
  // one vanishes beside the other, but counts in full where the other has no path.
  for (const bool small_first : {true, false}) {
    NetworkBuilder net("branches", {1, 1, 1});
    std::int32_t small = 0;
    std::int32_t large = 0;
    for (int l = 0; l < 40; ++l) {
      small = net.linear(fmt::format("small{}", l), small, 1, false);
      large = net.linear(fmt::format("large{}", l), large, 1, false);
    }
    const std::int32_t sum =
        small_first ? net.add("add", small, large) : net.add("add", large, small);
    net.linear("last", sum, 1, false);
    const Network network = net.finish();
    Parameters parameters = zero_slots(network);
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      parameters.weights[l] = {network.layers[l].name.starts_with("small") ? 1e-30F : 1.0F};
    }
    Mask mask(network, true);
    EXPECT_EQ(path_sums(network, parameters, mask).log_path_norm, 0);
    mask.layers[1].reset(0);  // the first connection of the large branch
    const double expected = 40 * std::log(static_cast<double>(1e-30F));
    const PathSums sums = path_sums(network, parameters, mask);
    EXPECT_NEAR(sums.log_path_norm / expected, 1, 1e-14);
    // And in the backward sweep: the absent connection's ending is the large branch.
    const ScaledArray first_of_large = connection_path_sums(network, sums)[1];
    EXPECT_EQ(std::log(first_of_large.values[0]) + first_of_large.log_scale, 0);
  }
}

TEST(PathSums, DoNotChangeWithTheSignOfWeights) {
  const Network network = build_network("lenet5", {{1, 28, 28}, 10, 0});
  Parameters parameters = initial_parameters(network, 3);
  const Mask mask(network, true);
  const PathSums sums = path_sums(network, parameters, mask);
  for (auto& weights : parameters.weights) {
    for (float& weight : weights) {
      weight = -weight;
    }
  }
  EXPECT_EQ(path_sums(network, parameters, mask).log_path_norm, sums.log_path_norm);
}

TEST(PathSums, AUnitWithoutIncomingConnectionsTakesTheMedianScaleOfItsNode) {
  NetworkBuilder net("norm", {1, 1, 1});
  std::int32_t x = net.linear("a", 0, 4, false);
  net.linear("b", net.batch_norm("norm", x), 1, false);
  const Network network = net.finish();
  Parameters parameters = zero_slots(network);
  parameters.weights = {{1, 1, 1, 1}, {1, 1, 1, 1}};
  parameters.norms[0].scale = {2, -4, 12, 100};
  parameters.norms[0].mean = {0, 0, 0, 0};
  parameters.norms[0].variance = {1, 1, 1, 0};
  const double scale = 1 / std::sqrt(1 + 1e-5);
  Mask mask(network, true);
  const auto gain_of_last = [&] {
    return value(connection_path_sums(network, path_sums(network, parameters, mask))[0], 3);
  };
  EXPECT_NEAR(gain_of_last(), 100 / std::sqrt(1e-5), 1e-9);
  mask.layers[0].reset(3);
  EXPECT_NEAR(gain_of_last(), 4 * scale, 1e-12);
  mask.layers[0].reset(0);
  EXPECT_NEAR(gain_of_last(), 8 * scale, 1e-12);  // between 4 and 12
  mask.layers[0] = LayerMask(4);
  EXPECT_EQ(gain_of_last(), 1);
}

TEST(PathSums, LeaveTheirInputsAsTheyAre) {
  const Network network = build_network("resnet8", {{3, 8, 8}, 10, 4});
  const Parameters parameters = initial_parameters(network, 3);
  RandomStream stream(2, "path-sums-test");
  const Mask mask = random_mask(network, 0.5, stream);
  const Parameters parameters_before = parameters;
  const Mask mask_before = mask;
  const PathSums first = path_sums(network, parameters, mask);
  const PathSums again = path_sums(network, parameters, mask);
  EXPECT_EQ(parameters, parameters_before);
  EXPECT_EQ(mask, mask_before);
  for (std::size_t n = 0; n < network.nodes.size(); ++n) {
    EXPECT_EQ(first.complexity[n].values, again.complexity[n].values);
    EXPECT_EQ(first.generality[n].values, again.generality[n].values);
  }
}

TEST(PathSums, NameTheLayerOfAWeightThatIsNoNumber) {
  const Network network = build_network("resnet8", {{3, 8, 8}, 10, 4});
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Parameters parameters = initial_parameters(network, 3);
    parameters.weights[2][5] = bad;
    Mask mask(network, true);
    GCG_EXPECT_ERROR(path_sums(network, parameters, mask), HasSubstr("stage1.block1.conv2"));
    GCG_EXPECT_ERROR(log_path_kernel_trace(network, parameters, mask),
                     HasSubstr("stage1.block1.conv2"));
    // An absent connection has no weight: whatever stands there is not read.
    mask.layers[2].reset(5);
    EXPECT_TRUE(std::isfinite(path_sums(network, parameters, mask).log_path_norm));
  }
}

TEST(PathSums, NameTheNormalisationThatHasNoFiniteScale) {
  const Network network = build_network("resnet8", {{3, 8, 8}, 10, 4});
  const auto message = HasSubstr("stem.norm: channel 1");
  const Mask mask(network, true);
  Parameters parameters = initial_parameters(network, 3);
  parameters.norms[0].scale[1] = std::numeric_limits<float>::infinity();
  GCG_EXPECT_ERROR(path_sums(network, parameters, mask), message);
  EXPECT_NO_THROW(path_sums(network, parameters, mask, {PathNorm::identity, 1}));
  parameters = initial_parameters(network, 3);
  for (const float variance :
       {-1.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    parameters.norms[0].variance[1] = variance;
    GCG_EXPECT_ERROR(path_sums(network, parameters, mask), message);
  }
  GCG_EXPECT_ERROR(path_sums(network, zero_slots(network), mask),
                   HasSubstr("has no running variance"));
}

TEST(PathSums, RefuseWhatDoesNotFit) {
  const Network network = build_network("mlp", {{4, 1, 1}, 3, 6});
  const Network other = build_network("mlp", {{5, 1, 1}, 3, 6});
  const Parameters parameters = initial_parameters(network, 1);
  const Mask mask(network, true);
  GCG_EXPECT_ERROR(path_sums(network, parameters, Mask(other, true)), HasSubstr("fc1"));
  GCG_EXPECT_ERROR(path_sums(other, parameters, Mask(other, true)), HasSubstr("fc1"));
  GCG_EXPECT_ERROR(path_sums(network, parameters, mask, {PathNorm::folded, 3}),
                   HasSubstr("the power is 3, not 1 or 2"));
  GCG_EXPECT_ERROR(connection_path_sums(other, path_sums(network, parameters, mask)),
                   HasSubstr("of another network"));
}

}  // namespace
}  // namespace gcg::testing
