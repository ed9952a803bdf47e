#include "topology/reachability.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/throws.h"
#include "graph/networks.h"
#include "topology/mask_literals.h"
#include "topology/scalar_paths.h"

namespace gcg {
namespace {

using testing::present_of;
using testing::with;

using ::testing::Each;
using ::testing::ElementsAre;
using testing::Step;
using ::testing::StrEq;

/// 3 inputs, hidden layers of 4 and 3 units, 2 logits.
Network small_mlp() {
  NetworkBuilder net("mlp", {3, 1, 1});
  std::int32_t x = net.relu("relu1", net.linear("fc1", 0, 4));
  x = net.relu("relu2", net.linear("fc2", x, 3));
  net.linear("fc3", x, 2);
  return net.finish();
}

TEST(Reachability, TellsUnreachedFromUnreadUnits) {
  const Network network = small_mlp();
  Mask mask(network, false);
  // fc1: unit 0 reads input 0, unit 1 reads inputs 1 and 2; units 2 and 3 read nothing.
  mask.layers[0] = with(12, {0 * 3 + 0, 1 * 3 + 1, 1 * 3 + 2});
  // fc2: unit 0 reads units 0 and 2, unit 1 reads unit 3 only, unit 2 nothing; nobody reads unit 1.
  mask.layers[1] = with(12, {0 * 4 + 0, 0 * 4 + 2, 1 * 4 + 3});
  // fc3: logit 0 reads unit 0, logit 1 reads units 1 and 2.
  mask.layers[2] = with(6, {0 * 3 + 0, 1 * 3 + 1, 1 * 3 + 2});

  const Reachability reach = reachability(network, mask);
  EXPECT_THAT(reach.unreached_units[0], ElementsAre(false, false, true, true));
  EXPECT_THAT(reach.unread_units[0], ElementsAre(false, true, false, false));
  EXPECT_THAT(reach.unreached_units[1], ElementsAre(false, true, true));
  EXPECT_THAT(reach.unread_units[1], ElementsAre(false, false, false));
  EXPECT_THAT(reach.unreached_units[2], ElementsAre(false, true));
  EXPECT_THAT(reach.unread_units[2], ElementsAre(false, false));
  EXPECT_THAT(present_of(reach.effective[0]), ElementsAre(0));
  EXPECT_THAT(present_of(reach.effective[1]), ElementsAre(0));
  EXPECT_THAT(present_of(reach.effective[2]), ElementsAre(0));
  EXPECT_THAT(reach.dead_inputs[0], ElementsAre(false, true, true));
  EXPECT_THAT(reach.dead_inputs[1], ElementsAre(false, true, true, true));
  EXPECT_EQ(reach.disconnected_units(), 3 + 2 + 1);
  EXPECT_EQ(reach.effective_density(), 3.0 / 30);
  EXPECT_EQ(fewest_live_channels(network, mask), 1);
}

TEST(Reachability, AnEmptyMaskReachesNothing) {
  const Network network = small_mlp();
  const Reachability reach = reachability(network, Mask(network, false));
  EXPECT_EQ(reach.disconnected_units(), 4 + 3 + 2);
  EXPECT_EQ(reach.effective_density(), 0);
  EXPECT_THAT(reach.unreached_units[2], Each(true));
  EXPECT_THAT(reach.unread_units[2], Each(false));
  EXPECT_THAT(reach.unread_units[0], Each(true));
  EXPECT_EQ(fewest_live_channels(network, Mask(network, false)), 0);
}

// At 64x64 pixels no convolution of any network works on a single position.
TEST(Reachability, EveryConnectionOfADenseNetworkIsEffective) {
  for (const NetworkEntry& entry : network_table()) {
    SCOPED_TRACE(entry.name);
    const Network network = build_network(entry.name, {{3, 64, 64}, 10, 9});
    const Mask mask(network, true);
    const Reachability reach = reachability(network, mask);
    EXPECT_EQ(reach.effective, mask.layers);
    EXPECT_EQ(reach.effective_density(), 1);
    EXPECT_EQ(reach.disconnected_units(), 0);
  }
}

// At 4x4 pixels the last stage is 1x1: its 3x3 kernels read padding with all taps but the centre,
// those of stride 2 before it see 2x2 of the 3x3.
TEST(Reachability, TapsThatOnlyReadPaddingCarryNoPath) {
  const Network network = build_network("resnet8", {{3, 4, 4}, 10, 2});
  const Reachability reach = reachability(network, Mask(network, true));
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    std::int64_t taps = layer.taps();
    if (layer.name == "stage3.block1.conv1") {
      taps = 4;
      EXPECT_FALSE(reach.effective[l].test(0));
      EXPECT_TRUE(reach.effective[l].test(4));
      EXPECT_TRUE(reach.effective[l].test(5));
      EXPECT_TRUE(reach.effective[l].test(7));
      EXPECT_TRUE(reach.effective[l].test(8));
    } else if (layer.name == "stage3.block1.conv2") {
      taps = 1;
      EXPECT_TRUE(reach.effective[l].test(4));
    }
    EXPECT_EQ(reach.effective[l].count(), layer.outputs * layer.inputs * taps) << layer.name;
  }
  EXPECT_EQ(reach.disconnected_units(), 0);
}

// The only tap of "shift" looks one row up: its row 0 sees padding, its row 1 the input. "point"
// has stride 2 and reads row 0 alone. Every unit is reached or read somewhere, yet no path exists.
TEST(Reachability, PositionsMustMeet) {
  NetworkBuilder net("shifted", {1, 2, 2});
  const std::int32_t shift = net.convolution("shift", 0, 1, {3, 3, 1, 1});
  const std::int32_t point = net.convolution("point", shift, 1, {1, 1, 2, 0});
  net.linear("fc", net.flatten("flatten", point), 1);
  const Network network = net.finish();
  Mask mask(network, true);
  mask.layers[0] = with(9, {1});
  const Reachability reach = reachability(network, mask);
  EXPECT_THAT(reach.unreached_units[0], ElementsAre(false));
  EXPECT_THAT(reach.unread_units[0], ElementsAre(false));
  EXPECT_EQ(reach.effective_density(), 0);
  EXPECT_EQ(reach.disconnected_units(), 3);
  EXPECT_EQ(fewest_live_channels(network, mask), 0);
  mask.layers[0] = with(9, {1, 4});
  EXPECT_THAT(present_of(reachability(network, mask).effective[0]), ElementsAre(4));
}

TEST(Reachability, ASumIsReachedThroughEitherBranchAndReadsBoth) {
  NetworkBuilder net("sum", {2, 1, 1});
  const std::int32_t a = net.linear("a", 0, 2);
  const std::int32_t b = net.linear("b", 0, 2);
  net.linear("out", net.add("add", a, b), 1);
  const Network network = net.finish();
  Mask mask(network, false);
  mask.layers[0] = with(4, {0});          // a0 reads input 0
  mask.layers[1] = with(4, {1 * 2 + 1});  // b1 reads input 1
  mask.layers[2] = with(2, {0});          // the logit reads channel 0 of the sum
  const Reachability reach = reachability(network, mask);
  EXPECT_THAT(reach.unreached_units[0], ElementsAre(false, true));
  EXPECT_THAT(reach.unreached_units[1], ElementsAre(true, false));
  EXPECT_THAT(reach.unread_units[0], ElementsAre(false, true));
  EXPECT_THAT(reach.unread_units[1], ElementsAre(false, true));
  EXPECT_THAT(present_of(reach.effective[0]), ElementsAre(0));
  EXPECT_THAT(present_of(reach.effective[1]), ElementsAre());
}

// A product of path weights would have long underflowed.
TEST(Reachability, DoesNotFadeInADeepNetwork) {
  NetworkBuilder net("deep", {1, 1, 1});
  std::int32_t x = 0;
  for (int l = 0; l < 2000; ++l) {
    x = net.linear("fc" + std::to_string(l), x, 1);
  }
  const Network network = net.finish();
  Mask mask(network, true);
  EXPECT_EQ(reachability(network, mask).effective_density(), 1);
  mask.layers[1000].reset(0);
  EXPECT_EQ(reachability(network, mask).effective_density(), 0);
  EXPECT_EQ(reachability(network, mask).disconnected_units(), 2000);
}

TEST(Reachability, RefusesAMaskOfAnotherNetwork) {
  const Network network = small_mlp();
  Mask mask(network, true);
  mask.layers[1] = LayerMask(13, true);
  GCG_EXPECT_ERROR(reachability(network, mask),
                   StrEq("mlp: fc2: the mask has 13 connections, the layer 12"));
  GCG_EXPECT_ERROR(fewest_live_channels(network, mask),
                   StrEq("mlp: fc2: the mask has 13 connections, the layer 12"));
}

/// Everything reachability says, from the list of all paths.
struct FromPaths {
  std::vector<LayerMask> effective;
  std::vector<std::set<std::int64_t>> live_channels;  ///< per node
};

FromPaths from_paths(const Network& network, const Mask& mask) {
  FromPaths result;
  result.effective = Mask(network, false).layers;
  result.live_channels.resize(network.nodes.size());
  testing::for_each_path(network, mask, [&](std::span<const Step> path) {
    for (const Step& step : path) {
      const std::int32_t layer = network.nodes[static_cast<std::size_t>(step.node)].layer;
      if (layer >= 0) {
        result.effective[static_cast<std::size_t>(layer)].set(step.connection);
      }
      result.live_channels[static_cast<std::size_t>(step.node)].insert(step.channel);
    }
  });
  return result;
}

/// Nodes that lie on every path of the layer graph, found by walking all of them.
std::vector<bool> nodes_on_every_path(const Network& network) {
  std::vector<bool> every(network.nodes.size(), true);
  std::vector<bool> here(network.nodes.size(), false);
  const std::function<void(std::size_t)> visit = [&](std::size_t n) {
    here[n] = true;
    for (const std::int32_t from : network.nodes[n].inputs) {
      visit(static_cast<std::size_t>(from));
    }
    if (network.nodes[n].inputs.empty()) {
      for (std::size_t other = 0; other < every.size(); ++other) {
        every[other] = every[other] && here[other];
      }
    }
    here[n] = false;
  };
  visit(network.nodes.size() - 1);
  return every;
}

void expect_agreement_with_paths(const Network& network, const Mask& mask) {
  const FromPaths expected = from_paths(network, mask);
  const Reachability reach = reachability(network, mask);
  std::int64_t disconnected = 0;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    SCOPED_TRACE(layer.name);
    EXPECT_EQ(present_of(reach.effective[l]), present_of(expected.effective[l]));
    std::vector<bool> dead(static_cast<std::size_t>(layer.inputs), true);
    std::vector<bool> disconnected_units(static_cast<std::size_t>(layer.outputs), true);
    expected.effective[l].for_each_present([&](std::int64_t i) {
      dead[static_cast<std::size_t>(i / layer.taps() % layer.inputs)] = false;
      disconnected_units[static_cast<std::size_t>(i / layer.fan_in())] = false;
    });
    EXPECT_EQ(reach.dead_inputs[l], dead);
    disconnected += std::count(disconnected_units.begin(), disconnected_units.end(), true);
    for (std::size_t unit = 0; unit < disconnected_units.size(); ++unit) {
      if (reach.unreached_units[l][unit] || reach.unread_units[l][unit]) {
        EXPECT_TRUE(disconnected_units[unit]) << "unit " << unit;
      }
    }
  }
  EXPECT_EQ(reach.disconnected_units(), disconnected);

  const std::vector<bool> cut = nodes_on_every_path(network);
  std::int64_t fewest = std::numeric_limits<std::int64_t>::max();
  for (std::size_t n = 1; n + 1 < network.nodes.size(); ++n) {
    if (cut[n]) {
      fewest = std::min(fewest, std::ssize(expected.live_channels[n]));
    }
  }
  EXPECT_EQ(fewest_live_channels(network, mask), fewest);
}

TEST(ReachabilityProperty, AgreesWithTheListOfAllPathsOfRandomNetworks) {
  int with_paths = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomStream stream(seed, "test");
    const Network network = testing::random_network(stream);
    const Mask mask = testing::random_mask(network, 0.1 + 0.3 * stream.uniform(), stream);
    expect_agreement_with_paths(network, mask);
    with_paths += reachability(network, mask).effective_density() > 0 ? 1 : 0;
    if (HasFailure()) {
      break;
    }
  }
  EXPECT_GT(with_paths, 100);  // else the comparison would say little
}

TEST(ReachabilityProperty, AgreesWithTheListOfAllPathsOfATransformer) {
  int with_paths = 0;
  for (std::uint64_t seed = 0; seed < 140; ++seed) {
    const Network network = testing::tiny_transformer(seed < 100 ? 1 : 2);
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomStream stream(seed, "test");
    const Mask mask = testing::random_mask(network, 0.2 + 0.4 * stream.uniform(), stream);
    expect_agreement_with_paths(network, mask);
    with_paths += reachability(network, mask).effective_density() > 0 ? 1 : 0;
  }
  EXPECT_GT(with_paths, 30);
}

// The class token carries no path of its own: without attention there is none to the classifier,
// whatever the perceptron and the shortcuts do.
TEST(Reachability, OnlyAttentionLeadsFromThePatchesToTheClassToken) {
  const Network network = testing::tiny_transformer();
  const auto layer = [&](std::string_view name) {
    return static_cast<std::size_t>(std::find_if(network.layers.begin(), network.layers.end(),
                                                 [&](const Layer& l) { return l.name == name; }) -
                                    network.layers.begin());
  };
  Mask mask(network, true);
  mask.layers[layer("projection")] = LayerMask(4);
  EXPECT_EQ(reachability(network, mask).effective_density(), 0);
  EXPECT_EQ(fewest_live_channels(network, mask), 0);
  // Query alone, in its channel 1: Q counts as a value path of its head.
  mask = Mask(network, true);
  for (const char* name : {"query", "key", "value"}) {
    mask.layers[layer(name)] = LayerMask(4);
  }
  mask.layers[layer("query")] = with(4, {3});
  const Reachability reach = reachability(network, mask);
  EXPECT_THAT(present_of(reach.effective[layer("query")]), ElementsAre(3));
  EXPECT_THAT(present_of(reach.effective[layer("projection")]), ElementsAre(1, 3));
  EXPECT_EQ(fewest_live_channels(network, mask), 1);
}

// Rows and maps of more than 64 positions: several words, bits that cross word boundaries. The
// classifier reads few features, so that every single bit on the way decides.
TEST(ReachabilityProperty, AgreesWithTheListOfAllPathsOnWideMaps) {
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomStream stream(seed, "test");
    const auto below = [&](std::uint64_t bound) {
      return static_cast<std::int64_t>(stream.below(bound));
    };
    NetworkBuilder net("wide", {1, 1 + below(3), 60 + below(80)});
    const Window first{1, 5, 1 + below(2), below(5)};
    const Window second{1, 1 + below(6), 1 + below(3), 0};
    std::int32_t x = net.convolution("first", 0, 2, first);
    x = net.max_pool("pool", x, {1, 1 + below(2), 1 + below(2), 0});
    x = net.convolution("second", x, 2, second);
    net.linear("fc", net.flatten("flatten", x), 1);
    const Network network = net.finish();
    Mask mask = testing::random_mask(network, 0.5, stream);
    LayerMask& classifier = mask.layers.back();
    classifier = LayerMask(classifier.size());
    for (int feature = 0; feature < 2; ++feature) {
      classifier.set(below(static_cast<std::uint64_t>(classifier.size())));
    }
    expect_agreement_with_paths(network, mask);
    if (HasFailure()) {
      break;
    }
  }
}

TEST(ReachabilityProperty, MoreConnectionsNeverDisconnect) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomStream stream(seed, "test");
    const Network network = testing::random_network(stream);
    Mask mask = testing::random_mask(network, 0.2, stream);
    const Reachability before = reachability(network, mask);
    const std::int64_t live_before = fewest_live_channels(network, mask);
    unite(mask, testing::random_mask(network, 0.2, stream));
    const Reachability after = reachability(network, mask);
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      for (std::size_t w = 0; w < before.effective[l].words().size(); ++w) {
        EXPECT_EQ(before.effective[l].words()[w] & ~after.effective[l].words()[w], 0U);
        EXPECT_EQ(after.effective[l].words()[w] & ~mask.layers[l].words()[w], 0U);
      }
    }
    EXPECT_LE(after.disconnected_units(), before.disconnected_units());
    EXPECT_GE(fewest_live_channels(network, mask), live_before);
  }
}

// The identity shortcut leads around the block, so its single live channel is no bottleneck.
TEST(FewestLiveChannels, IgnoresTensorsThatAShortcutAvoids) {
  NetworkBuilder net("residual", {3, 1, 1});
  const std::int32_t stem = net.linear("stem", 0, 4);
  const std::int32_t inner = net.linear("inner", stem, 4);
  const std::int32_t sum = net.add("sum", net.linear("outer", inner, 4), stem);
  net.linear("out", sum, 2);
  const Network network = net.finish();
  Mask mask(network, true);
  mask.layers[1] = with(16, {0});
  EXPECT_EQ(fewest_live_channels(network, mask), 4);
  mask.layers[0] = with(12, {0, 3});  // two units of the stem are reached
  // The block's live channel feeds all of the sum, the cut before it is narrower.
  EXPECT_EQ(fewest_live_channels(network, mask), 2);
}

TEST(FewestLiveChannels, CountsLogitsWhereNothingLiesBetween) {
  NetworkBuilder net("flat", {5, 1, 1});
  net.linear("out", 0, 3);
  const Network network = net.finish();
  Mask mask(network, true);
  EXPECT_EQ(fewest_live_channels(network, mask), 3);
  mask.layers[0] = with(15, {0, 1, 14});
  EXPECT_EQ(fewest_live_channels(network, mask), 2);
}

}  // namespace
}  // namespace gcg
