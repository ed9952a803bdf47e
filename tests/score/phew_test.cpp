#include "score/phew.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>

#include "base/error.h"
#include "graph/networks.h"
#include "score/chi_square.h"

namespace gcg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::size_t kDraws = 20000;

/// Present connections as (layer, index), in order.
std::vector<std::pair<std::size_t, std::int64_t>> listed(const Mask& mask) {
  std::vector<std::pair<std::size_t, std::int64_t>> result;
  for (std::size_t l = 0; l < mask.layers.size(); ++l) {
    mask.layers[l].for_each_present([&](std::int64_t i) { result.emplace_back(l, i); });
  }
  return result;
}

Parameters with_weights(const Network& network, std::vector<std::vector<float>> weights) {
  Parameters parameters = initial_parameters(network, 1);
  parameters.weights = std::move(weights);
  return parameters;
}

/// One linear layer without anything else.
Network one_layer(std::int64_t inputs, std::int64_t outputs) {
  NetworkBuilder net("one", {inputs, 1, 1});
  net.linear("fc", 0, outputs);
  return net.finish();
}

/// 1x3 input -> convolution with 1x2 kernels -> two positions per channel -> flatten -> linear.
Network flattened(std::int64_t inputs, std::int64_t channels) {
  NetworkBuilder net("flattened", {inputs, 1, 3});
  std::int32_t x = net.convolution("conv", 0, channels, {1, 2, 1, 0});
  x = net.flatten("flatten", net.relu("relu", net.batch_norm("norm", x)));
  net.linear("fc", x, 2);
  return net.finish();
}

struct NamedNetwork {
  std::string name;
  Network network;
};

std::vector<NamedNetwork> networks() {
  std::vector<NamedNetwork> result;
  const auto add = [&](std::string_view name, Shape input, std::int64_t width) {
    result.push_back({fmt::format("{} width {}", name, width),
                      build_network(name, {.input = input, .classes = 10, .width = width})});
  };
  add("mlp", {1, 6, 6}, 12);
  add("lenet5", {1, 28, 28}, 3);
  add("resnet8", {3, 32, 32}, 4);
  add("resnet20", {3, 32, 32}, 4);
  add("vit6_small", {3, 8, 8}, 6);
  return result;
}

/// Connections on an input-output path of channels, whatever positions say: the plain reference.
Mask on_channel_paths(const Network& network, const Mask& mask) {
  const std::size_t nodes = network.nodes.size();
  std::vector<std::vector<bool>> reached(nodes);
  std::vector<std::vector<bool>> read(nodes);
  // Calls f(channel of input, channel of node, layer, connection) for every present link.
  const auto for_each_link = [&](std::size_t n, std::int32_t input, auto f) {
    const Node& node = network.nodes[n];
    if (node.layer >= 0) {
      const Layer& layer = network.layers[static_cast<std::size_t>(node.layer)];
      mask.layers[static_cast<std::size_t>(node.layer)].for_each_present([&](std::int64_t i) {
        f(static_cast<std::size_t>(i / layer.taps() % layer.inputs),
          static_cast<std::size_t>(i / layer.fan_in()), i);
      });
      return;
    }
    const std::int64_t span =
        node.shape.channels / network.nodes[static_cast<std::size_t>(input)].shape.channels;
    for (std::int64_t c = 0; c < node.shape.channels; ++c) {
      f(static_cast<std::size_t>(c / span), static_cast<std::size_t>(c), std::int64_t{-1});
    }
  };
  for (std::size_t n = 0; n < nodes; ++n) {
    const auto channels = static_cast<std::size_t>(network.nodes[n].shape.channels);
    reached[n].assign(channels, n == 0);
    read[n].assign(channels, n + 1 == nodes);
    for (const std::int32_t input : network.nodes[n].inputs) {
      for_each_link(n, input, [&](std::size_t from, std::size_t to, std::int64_t) {
        reached[n][to] = reached[n][to] || reached[static_cast<std::size_t>(input)][from];
      });
    }
  }
  Mask result(network, false);
  for (std::size_t n = nodes; n-- > 0;) {
    for (const std::int32_t input : network.nodes[n].inputs) {
      const auto in = static_cast<std::size_t>(input);
      for_each_link(n, input, [&](std::size_t from, std::size_t to, std::int64_t i) {
        read[in][from] = read[in][from] || read[n][to];
        if (i >= 0 && reached[in][from] && read[n][to]) {
          result.layers[static_cast<std::size_t>(network.nodes[n].layer)].set(i);
        }
      });
    }
  }
  return result;
}

/// Most connections on one path.
std::int64_t longest_path(const Network& network) {
  std::vector<std::int64_t> length(network.nodes.size(), 0);
  for (std::size_t n = 1; n < network.nodes.size(); ++n) {
    for (const std::int32_t input : network.nodes[n].inputs) {
      length[n] = std::max(length[n], length[static_cast<std::size_t>(input)] +
                                          (network.nodes[n].layer >= 0 ? 1 : 0));
    }
  }
  return length.back();
}

TEST(Phew, HasExactlyTheAskedNumberOfConnections) {
  for (const auto& [name, network] : networks()) {
    SCOPED_TRACE(name);
    const Parameters weights = initial_parameters(network, 3);
    const std::int64_t all = network.connections();
    for (const std::int64_t present : {std::int64_t{1}, std::int64_t{2}, all / 50, all / 7}) {
      EXPECT_EQ(phew_mask(network, weights, present, RandomStream(3, "walks")).present(), present);
    }
  }
}

TEST(Phew, DependsOnTheStreamAlone) {
  for (const auto& [name, network] : networks()) {
    SCOPED_TRACE(name);
    const Parameters weights = initial_parameters(network, 3);
    const std::int64_t present = network.connections() / 20;
    const Mask mask = phew_mask(network, weights, present, RandomStream(3, "walks"));
    EXPECT_EQ(phew_mask(network, weights, present, RandomStream(3, "walks")), mask);
    EXPECT_NE(phew_mask(network, weights, present, RandomStream(4, "walks")), mask);
  }
}

TEST(Phew, AllConnectionsButThoseOfTheCutWalkLieOnAPath) {
  for (const auto& [name, network] : networks()) {
    SCOPED_TRACE(name);
    const Parameters weights = initial_parameters(network, 5);
    const std::int64_t longest = longest_path(network);
    for (const std::int64_t start : {std::int64_t{1}, network.connections() / 40}) {
      Mask previous(network, false);
      std::int64_t since_whole = 0;  // counts since the last one that cut no walk
      for (std::int64_t present = start; present < start + 3 * longest; ++present) {
        SCOPED_TRACE(present);
        const Mask mask = phew_mask(network, weights, present, RandomStream(5, "walks"));
        unite(previous, mask);
        ASSERT_EQ(previous, mask) << "does not contain the mask of one connection less";
        const std::int64_t cut = present - on_channel_paths(network, mask).present();
        since_whole = cut == 0 ? 0 : since_whole + 1;
        ASSERT_LT(cut, longest);
        ASSERT_LT(since_whole, longest);
      }
    }
  }
}

TEST(Phew, StartsInRoundRobinFromBothEnds) {
  // Weights on the diagonal: the walks from input i and from output i find connection (i, i).
  const Network network = one_layer(4, 4);
  std::vector<float> diagonal(16, 0.0F);
  for (std::size_t i = 0; i < 4; ++i) {
    diagonal[5 * i] = i % 2 == 0 ? 1.0F : -1.0F;
  }
  const Parameters weights = with_weights(network, {diagonal});
  for (std::int64_t present = 1; present <= 4; ++present) {
    std::vector<std::pair<std::size_t, std::int64_t>> expected;
    for (std::int64_t i = 0; i < present; ++i) {
      expected.emplace_back(0, 5 * i);
    }
    EXPECT_EQ(listed(phew_mask(network, weights, present, RandomStream(1, "walks"))), expected);
  }
}

TEST(Phew, TakesThePixelsOfAnMlpAsInputUnits) {
  NetworkBuilder net("pixels", {1, 2, 2});
  net.linear("fc", net.flatten("flatten", 0), 4);
  const Network network = net.finish();
  std::vector<float> diagonal(16, 0.0F);
  for (std::size_t i = 0; i < 4; ++i) {
    diagonal[5 * i] = 1.0F;
  }
  const Mask mask =
      phew_mask(network, with_weights(network, {diagonal}), 2, RandomStream(1, "walks"));
  EXPECT_EQ(listed(mask), (std::vector<std::pair<std::size_t, std::int64_t>>{{0, 0}, {0, 5}}));
}

TEST(Phew, ForwardWalksFollowTheWeightsThroughKernelsAndFlatten) {
  const Network network = flattened(1, 2);
  const std::vector<float> conv{0.5F, -1.0F, 2.0F, 0.25F};  // [2][1][1][2]
  // [2 classes][2 channels x 2 positions]
  const std::vector<float> fc{1.0F, -2.0F, 0.5F, 0.0F, 3.0F, 0.25F, -1.5F, 1.0F};
  const Parameters weights = with_weights(network, {conv, fc});

  std::vector<double> law;
  std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> outcome;
  for (std::int64_t channel = 0; channel < 2; ++channel) {
    double total = 0;
    for (std::int64_t i = 0; i < 8; ++i) {
      total += i / 2 % 2 == channel ? std::abs(fc[static_cast<std::size_t>(i)]) : 0;
    }
    for (std::int64_t tap = 0; tap < 2; ++tap) {
      for (std::int64_t i = 0; i < 8; ++i) {
        if (i / 2 % 2 == channel) {
          outcome[{2 * channel + tap, i}] = law.size();
          law.push_back(std::abs(conv[static_cast<std::size_t>(2 * channel + tap)]) / 3.75 *
                        std::abs(fc[static_cast<std::size_t>(i)]) / total);
        }
      }
    }
  }
  std::vector<std::size_t> counts(law.size(), 0);
  for (std::size_t k = 0; k < kDraws; ++k) {
    const auto walk = listed(phew_mask(network, weights, 2, RandomStream(11, "walks", k)));
    ++counts[outcome.at({walk.at(0).second, walk.at(1).second})];
  }
  EXPECT_LT(testing::chi_square(counts, law), testing::chi_square_limit(law));
}

TEST(Phew, BackwardWalksFollowTheWeightsThroughKernelsAndFlatten) {
  // The first walk, forward from input 0, has one way only: channel 1, position 0, class 1. The
  // second, backward from class 0, chooses among channels 0 and 2, which read input 1 alone.
  const Network network = flattened(2, 3);
  const std::vector<float> conv{0, 0, 1, -3,         // channel 0: [2 inputs][2 taps]
                                1, 0, 0, 0,          // channel 1
                                0, 0, 2, 2};         // channel 2
  const std::vector<float> fc{1, -2, 0, 0, 4, 0.5F,  // class 0: [3 channels][2 positions]
                              0, 0,  1, 0, 0, 0};
  const Parameters weights = with_weights(network, {conv, fc});
  std::vector<double> law;
  std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> outcome;
  for (const std::int64_t feature : {0, 1, 4, 5}) {
    const std::int64_t channel = feature / 2;
    for (std::int64_t tap = 2; tap < 4; ++tap) {
      const std::int64_t i = 4 * channel + tap;
      outcome[{i, feature}] = law.size();
      law.push_back(std::abs(fc[static_cast<std::size_t>(feature)]) / 7.5 *
                    std::abs(conv[static_cast<std::size_t>(i)]) / 4);
    }
  }
  std::vector<std::size_t> counts(law.size(), 0);
  for (std::size_t k = 0; k < kDraws; ++k) {
    const Mask mask = phew_mask(network, weights, 4, RandomStream(12, "walks", k));
    ASSERT_TRUE(mask.layers[0].test(4) && mask.layers[1].test(8));
    std::int64_t conv_found = -1;
    std::int64_t fc_found = -1;
    mask.layers[0].for_each_present([&](std::int64_t i) { conv_found = i == 4 ? conv_found : i; });
    mask.layers[1].for_each_present([&](std::int64_t i) { fc_found = i == 8 ? fc_found : i; });
    ++counts[outcome.at({conv_found, fc_found})];
  }
  EXPECT_LT(testing::chi_square(counts, law), testing::chi_square_limit(law));
}

/// a(input) + b(input), or a(input) + input, and a classifier.
Network residual(bool projection) {
  NetworkBuilder net("residual", {2, 1, 1});
  const std::int32_t a = net.convolution("a", 0, 2, {1, 1, 1, 0});
  const std::int32_t b = projection ? net.convolution("b", 0, 2, {1, 1, 1, 0}) : 0;
  net.linear("fc", net.add("add", a, b), 2);
  return net.finish();
}

TEST(Phew, ForwardWalksTakeAShortcutHalfOfTheTimes) {
  const Network network = residual(false);
  const Parameters weights = with_weights(network, {{1, 1, 1, 1}, {1, 1, 1, 1}});
  std::vector<std::size_t> counts(2, 0);
  for (std::size_t k = 0; k < kDraws; ++k) {
    const Mask mask = phew_mask(network, weights, 1, RandomStream(13, "walks", k));
    ++counts[listed(mask).front().first];
  }
  const std::vector<double> law{0.5, 0.5};
  EXPECT_LT(testing::chi_square(counts, law), testing::chi_square_limit(law));
}

TEST(Phew, BackwardWalksTakeEitherBranchOfAnAdditionHalfOfTheTimes) {
  // Input 0 leads to channel 1 and class 1 alone; class 0 back to channel 0 and input 1 alone.
  const Network network = residual(true);
  const std::vector<float> crossed{0, 5, 1, 0};
  const Parameters weights = with_weights(network, {crossed, {0, 0.01F, 1, 0}, {1, 0, 0, 1}});
  std::vector<std::size_t> counts(2, 0);
  for (std::size_t k = 0; k < kDraws; ++k) {
    const Mask mask = phew_mask(network, weights, 4, RandomStream(14, "walks", k));
    ASSERT_NE(mask.layers[0].test(1), mask.layers[1].test(1));
    ++counts[mask.layers[0].test(1) ? 0 : 1];
  }
  const std::vector<double> law{0.5, 0.5};
  EXPECT_LT(testing::chi_square(counts, law), testing::chi_square_limit(law));
}

TEST(Phew, EqualPathsOfALayerAreWalkedInProportionToTheirWeights) {
  // Walks from input 0 alone reach it: the first connection of a one-layer network.
  const Network network = one_layer(2, 3);
  const Parameters weights = with_weights(network, {{1, 9, -2, 9, 5, 9}});
  std::vector<std::size_t> counts(3, 0);
  for (std::size_t k = 0; k < kDraws; ++k) {
    const auto walk = listed(phew_mask(network, weights, 1, RandomStream(15, "walks", k)));
    ASSERT_EQ(walk.front().second % 2, 0);
    ++counts[static_cast<std::size_t>(walk.front().second / 2)];
  }
  const std::vector<double> law{0.125, 0.25, 0.625};
  EXPECT_LT(testing::chi_square(counts, law), testing::chi_square_limit(law));
}

TEST(Phew, GivesUpAfterWalksWithoutANewConnection) {
  const Network network = one_layer(2, 2);
  const Parameters weights = with_weights(network, {{1, 0, 0, 1}});
  EXPECT_THAT([&] { phew_mask(network, weights, 3, RandomStream(1, "walks"), 50); },
              ThrowsMessage<Error>(
                  AllOf(HasSubstr("one: 50 PHEW walks in a row"), HasSubstr("2 of 3 found"))));
}

TEST(Phew, NamesTheLayerAWalkCannotLeave) {
  const Network network = flattened(1, 2);
  const Parameters weights = with_weights(network, {{0, 0, 0, 1}, {1, 1, 0, 0, 1, 1, 0, 0}});
  EXPECT_THAT(
      [&] { phew_mask(network, weights, 2, RandomStream(1, "walks")); },
      ThrowsMessage<Error>(HasSubstr("flattened: fc: a PHEW walk cannot go on: all weights from "
                                     "input unit 1 are zero")));
}

TEST(Phew, RefusesWeightsThatAreNotFinite) {
  const Network network = one_layer(2, 2);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    const Parameters weights = with_weights(network, {{1, 1, bad, 1}});
    EXPECT_THAT([&] { phew_mask(network, weights, 1, RandomStream(1, "walks")); },
                ThrowsMessage<Error>(HasSubstr("one: fc: a weight of unit 1 is not finite")));
  }
}

TEST(Phew, RefusesImpossibleCounts) {
  const Network network = one_layer(2, 2);
  const Parameters weights = initial_parameters(network, 1);
  for (const std::int64_t present : {-1, 0, 5}) {
    EXPECT_THAT([&] { phew_mask(network, weights, present, RandomStream(1, "walks")); },
                ThrowsMessage<Error>(HasSubstr(fmt::format("{} of 4 connections", present))));
  }
}

TEST(Phew, RefusesToAddFlattenedToPlainFeatures) {
  NetworkBuilder net("mixed", {1, 2, 2});
  const std::int32_t conv = net.convolution("conv", 0, 1, {1, 1, 1, 0});
  const std::int32_t left = net.flatten("flatten", conv);
  const std::int32_t right = net.linear("fc1", left, 4);
  net.linear("fc2", net.add("add", left, right), 2);
  const Network network = net.finish();
  EXPECT_THAT(
      [&] { phew_mask(network, initial_parameters(network, 1), 1, RandomStream(1, "walks")); },
      ThrowsMessage<Error>(HasSubstr("mixed: add: adds tensors with 4 and 1 features")));
}

}  // namespace
}  // namespace gcg
