#include "graph/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/throws.h"

namespace gcg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StrEq;

Network small_residual_network() {
  NetworkBuilder net("small", {3, 8, 6});
  const std::int32_t stem = net.convolution("stem", 0, 4, {3, 3, 1, 1});
  const std::int32_t norm = net.batch_norm("norm", stem);
  const std::int32_t relu = net.relu("relu", norm);
  const std::int32_t branch = net.convolution("branch", relu, 4, {3, 1, 1, 1}, true);
  (void)branch;
  const std::int32_t pad = net.max_pool("pool_a", relu, {2, 2, 2, 0});
  const std::int32_t other = net.average_pool("pool_b", relu, {2, 2, 2, 0});
  const std::int32_t sum = net.add("add", pad, other);
  const std::int32_t wide = net.max_pool("pool_c", branch, {4, 6, 2, 0});
  const std::int32_t flat = net.flatten("flat", wide);
  const std::int32_t features = net.linear("fc1", flat, 4);
  const std::int32_t global = net.global_average_pool("global", sum);
  net.linear("fc2", net.add("join", features, global), 5);
  return net.finish();
}

TEST(NetworkBuilder, ComputesEveryShape) {
  const Network network = small_residual_network();
  const auto shape = [&](const char* name) {
    for (const Node& node : network.nodes) {
      if (node.name == name) {
        return node.shape;
      }
    }
    return Shape{};
  };
  EXPECT_EQ(shape("stem"), (Shape{4, 8, 6}));
  EXPECT_EQ(shape("norm"), (Shape{4, 8, 6}));
  EXPECT_EQ(shape("branch"), (Shape{4, 8, 8}));  // 8 + 2 - 3 + 1 high, 6 + 2 - 1 + 1 wide
  EXPECT_EQ(shape("pool_a"), (Shape{4, 4, 3}));
  EXPECT_EQ(shape("pool_c"), (Shape{4, 3, 2}));
  EXPECT_EQ(shape("flat"), (Shape{24, 1, 1}));
  EXPECT_EQ(shape("global"), (Shape{4, 1, 1}));
  EXPECT_EQ(network.input_shape(), (Shape{3, 8, 6}));
  EXPECT_EQ(network.classes(), 5);
  EXPECT_EQ(network.norm_count, 1);
}

TEST(NetworkBuilder, ListsMaskableLayersInOrder) {
  const Network network = small_residual_network();
  ASSERT_EQ(network.layers.size(), 4U);
  EXPECT_EQ(network.layers[0].name, "stem");
  EXPECT_EQ(network.layers[1].name, "branch");
  EXPECT_EQ(network.layers[1].taps(), 3);
  EXPECT_EQ(network.layers[1].fan_in(), 12);
  EXPECT_EQ(network.layers[2].name, "fc1");
  EXPECT_EQ(network.layers[3].name, "fc2");
  EXPECT_THAT(layer_sizes(network), ElementsAre(3 * 4 * 9, 4 * 4 * 3, 24 * 4, 4 * 5));
  EXPECT_EQ(network.connections(), 108 + 48 + 96 + 20);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    EXPECT_EQ(network.nodes[static_cast<std::size_t>(network.layers[l].node)].layer,
              static_cast<std::int32_t>(l));
  }
}

TEST(NetworkBuilder, ReadersAreTheInverseOfInputs) {
  NetworkBuilder net("net", {2, 1, 1});
  const std::int32_t a = net.linear("a", 0, 3);
  const std::int32_t b = net.linear("b", 0, 3);
  const std::int32_t sum = net.add("sum", a, b);
  const std::int32_t twice = net.add("twice", sum, sum);
  net.linear("out", twice, 2);
  EXPECT_THAT(net.finish().readers(),
              ElementsAre(ElementsAre(a, b), ElementsAre(sum), ElementsAre(sum),
                          ElementsAre(twice, twice), ElementsAre(5), IsEmpty()));
}

TEST(NetworkBuilder, RefusesAnInputWithoutExtent) {
  GCG_EXPECT_ERROR(NetworkBuilder("net", {3, 0, 32}),
                   StrEq("net: input shape 3x0x32 is not positive"));
  GCG_EXPECT_ERROR(NetworkBuilder("net", {-3, 32, 32}), HasSubstr("is not positive"));
}

TEST(NetworkBuilder, RefusesWindowsThatDoNotFit) {
  NetworkBuilder net("net", {3, 4, 4});
  GCG_EXPECT_ERROR(net.convolution("conv", 0, 8, {5, 5, 1, 0}),
                   StrEq("net: conv: a 5x5 window (stride 1, padding 0) does not fit a 4x4 input"));
  GCG_EXPECT_ERROR(net.convolution("conv", 0, 8, {3, 3, 0, 1}), HasSubstr("stride 0"));
  GCG_EXPECT_ERROR(net.convolution("conv", 0, 8, {3, 3, 1, -1}), HasSubstr("padding -1"));
  GCG_EXPECT_ERROR(net.convolution("conv", 0, 8, {3, 3, 1, 3}), HasSubstr("padding 3"));
  GCG_EXPECT_ERROR(net.convolution("conv", 0, 8, {0, 3, 1, 0}), HasSubstr("a 0x3 window"));
  GCG_EXPECT_ERROR(net.max_pool("pool", 0, {5, 2, 2, 0}), HasSubstr("net: pool: a 5x2 window"));
  GCG_EXPECT_ERROR(net.average_pool("pool", 0, {2, 5, 2, 0}), HasSubstr("net: pool: a 2x5 window"));
}

TEST(NetworkBuilder, RefusesLayersWithoutOutputs) {
  NetworkBuilder net("net", {3, 4, 4});
  GCG_EXPECT_ERROR(net.convolution("conv", 0, 0, {3, 3, 1, 1}), StrEq("net: conv: has no outputs"));
  GCG_EXPECT_ERROR(net.linear("fc", net.global_average_pool("pool", 0), -1),
                   StrEq("net: fc: has no outputs"));
}

TEST(NetworkBuilder, RefusesALinearLayerOverPositions) {
  NetworkBuilder net("net", {3, 4, 5});
  GCG_EXPECT_ERROR(net.linear("fc", 0, 10),
                   StrEq("net: fc: a linear layer needs 1x1 positions, not 4x5\n"
                         "  remedy: flatten or pool first"));
}

TEST(NetworkBuilder, RefusesSumsOfDifferentShapes) {
  NetworkBuilder net("net", {3, 4, 4});
  const std::int32_t wide = net.convolution("wide", 0, 4, {1, 1, 1, 0});
  const std::int32_t small = net.convolution("small", 0, 3, {1, 1, 2, 0});
  GCG_EXPECT_ERROR(net.add("sum", 0, wide), StrEq("net: sum: adds tensors of different shape"));
  GCG_EXPECT_ERROR(net.add("sum", 0, small), HasSubstr("net: sum: adds tensors"));
}

TEST(NetworkBuilder, RefusesNodesThatDoNotExistYet) {
  NetworkBuilder net("net", {3, 4, 4});
  GCG_EXPECT_ERROR(net.relu("relu", 1), StrEq("net: relu: reads node 1, which does not exist yet"));
  GCG_EXPECT_ERROR(net.relu("relu", -1), HasSubstr("reads node -1"));
  GCG_EXPECT_ERROR(net.add("sum", 0, 7), HasSubstr("reads node 7"));
}

TEST(NetworkBuilder, RefusesANameGivenTwice) {
  NetworkBuilder net("net", {3, 4, 4});
  net.relu("relu", 0);
  GCG_EXPECT_ERROR(net.relu("relu", 0), StrEq("net: relu: two nodes have this name"));
  GCG_EXPECT_ERROR(net.relu("input", 0), StrEq("net: input: two nodes have this name"));
}

TEST(NetworkBuilder, RefusesToFinishWhatHasNoSenseAsANetwork) {
  NetworkBuilder unread("net", {3, 1, 1});
  unread.linear("a", 0, 2);
  unread.linear("b", 0, 2);
  GCG_EXPECT_ERROR(unread.finish(),
                   StrEq("net: a: nothing reads this node: it lies on no path to the output"));
  NetworkBuilder map("net", {3, 4, 4});
  map.convolution("conv", 0, 2, {3, 3, 1, 1});
  GCG_EXPECT_ERROR(map.finish(), HasSubstr("does not end in one vector of logits"));
  NetworkBuilder empty("net", {3, 1, 1});
  GCG_EXPECT_ERROR(empty.finish(), HasSubstr("behind a maskable layer"));
}

TEST(Flops, CountPresentConnectionsTimesPositionsTwice) {
  const Network network = small_residual_network();
  const std::vector<std::int64_t> present{10, 3, 7, 0};
  EXPECT_THAT(multiply_adds(network, present), ElementsAre(10 * 48, 3 * 64, 7, 0));
  EXPECT_EQ(forward_flops(network, present), 2 * (480 + 192 + 7));
  GCG_EXPECT_ERROR(multiply_adds(network, std::vector<std::int64_t>{1, 2}),
                   StrEq("small: 2 layer counts given, the network has 4 layers"));
}

TEST(Flops, CountTheProductsOfAttentionWhateverIsPresent) {
  NetworkBuilder net("net", {2, 3, 3});
  const std::int32_t x = net.tokens("tokens", 0);
  net.linear("fc", net.first_token("first", net.attention("attention", x, x, x, 2)), 5);
  const Network network = net.finish();
  EXPECT_EQ(attention_multiply_adds(network), 2 * 10 * 10 * 2);
  EXPECT_EQ(forward_flops(network, std::vector<std::int64_t>{3}), 2 * (400 + 3));
}

TEST(NetworkBuilder, RefusesTokensThatAreNone) {
  NetworkBuilder net("net", {4, 3, 3});
  GCG_EXPECT_ERROR(
      net.token_linear("fc", 0, 2),
      StrEq("net: fc: reads 3x3 positions, which are no tokens\n  remedy: make tokens of them "
            "first"));
  const std::int32_t x = net.tokens("tokens", 0);
  GCG_EXPECT_ERROR(net.tokens("again", 0), StrEq("net: again: the network has tokens already"));
  GCG_EXPECT_ERROR(net.global_average_pool("pool", x),
                   HasSubstr("net: pool: would average the class token together with the patches"));
  GCG_EXPECT_ERROR(net.attention("a", x, x, x, 3),
                   StrEq("net: a: 4 channels cannot be split into 3 heads\n  remedy: take a width "
                         "that is a multiple of 3 (--width 6)"));
  GCG_EXPECT_ERROR(net.attention("a", x, x, x, 0), HasSubstr("0 heads"));
  const std::int32_t narrow = net.token_linear("narrow", x, 2);
  GCG_EXPECT_ERROR(net.attention("a", x, narrow, x, 2),
                   StrEq("net: a: query, key and value differ in their shape"));
  GCG_EXPECT_ERROR(net.first_token("f", 0), HasSubstr("3x3 positions"));
}

TEST(NetworkBuilder, DropsBranchesAtARateBetweenNothingAndAll) {
  NetworkBuilder net("net", {4, 1, 1});
  const std::int32_t x = net.linear("fc1", 0, 3);
  for (const double rate : {0.0, 1.0, -0.1}) {
    GCG_EXPECT_ERROR(net.drop_path("drop", x, rate), HasSubstr("net: drop: a drop rate of"));
  }
  const std::int32_t first = net.drop_path("drop1", x, 0.25);
  net.linear("fc2", net.add("add", net.drop_path("drop2", first, 0.5), x), 2);
  const Network network = net.finish();
  EXPECT_EQ(network.drop_count, 2);
  EXPECT_EQ(network.nodes[2].drop, 0);
  EXPECT_EQ(network.nodes[2].drop_rate, 0.25);
  EXPECT_EQ(network.nodes[3].drop, 1);
  EXPECT_EQ(network.nodes[3].shape, (Shape{3, 1, 1}));
}

TEST(OperationName, IsThatOfTheEnumerator) {
  EXPECT_EQ(operation_name(Operation::attention), "attention");
  EXPECT_EQ(operation_name(Operation::batch_norm), "batch_norm");
  EXPECT_EQ(operation_name(Operation::global_average_pool), "global_average_pool");
}

}  // namespace
}  // namespace gcg
