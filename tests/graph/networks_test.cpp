#include "graph/networks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "base/throws.h"
#include "graph/parameters.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

constexpr Shape kCifar{3, 32, 32};
constexpr Shape kMnist{1, 28, 28};

double dense_multiply_adds(const Network& network) {
  return forward_flops(network, layer_sizes(network)) / 2;
}

std::int64_t operations(const Network& network, Operation operation) {
  return std::count_if(network.nodes.begin(), network.nodes.end(),
                       [&](const Node& node) { return node.operation == operation; });
}

// Counted by hand: weights of stem, stages and classifier, gamma and beta of every normalisation,
// biases of the classifier. Published: 0.27 million parameters, 41 million multiply-adds.
TEST(ResNet20, HasThePublishedSize) {
  const Network network = build_network("resnet20", {kCifar});
  constexpr std::int64_t stem = 3 * 16 * 9;
  constexpr std::int64_t stage1 = 6 * 16 * 16 * 9;
  constexpr std::int64_t stage2 = 16 * 32 * 9 + 5 * 32 * 32 * 9;
  constexpr std::int64_t stage3 = 32 * 64 * 9 + 5 * 64 * 64 * 9;
  constexpr std::int64_t projection2 = 16 * 32;
  constexpr std::int64_t projection3 = 32 * 64;
  constexpr std::int64_t classifier = 64 * 10;
  EXPECT_EQ(network.connections(),
            stem + stage1 + stage2 + stage3 + projection2 + projection3 + classifier);
  constexpr std::int64_t normalised = 7 * 16 + 7 * 32 + 7 * 64;
  EXPECT_EQ(parameter_count(network), network.connections() + 2 * normalised + 10);
  EXPECT_EQ(parameter_count(network), 272474);
  EXPECT_EQ(dense_multiply_adds(network), (stem + stage1) * 1024 + (stage2 + projection2) * 256 +
                                              (stage3 + projection3) * 64 + classifier);
  EXPECT_EQ(dense_multiply_adds(network), 40813184);
}

TEST(ResNet20, HasTwentyLayersAndTwoProjections) {
  const Network network = build_network("resnet20", {kCifar});
  EXPECT_EQ(network.layers.size(), 20U + 2U);
  EXPECT_EQ(operations(network, Operation::add), 9);
  EXPECT_EQ(network.norm_count, 21);
  EXPECT_EQ(build_network("resnet8", {kCifar}).layers.size(), 8U + 2U);
}

TEST(LeNet5, HasThePublishedSizeOn28And32Pixels) {
  const Network network = build_network("lenet5", {kMnist});
  constexpr std::int64_t by_hand =
      (25 * 6 + 6) + (6 * 25 * 16 + 16) + (400 * 120 + 120) + (120 * 84 + 84) + (84 * 10 + 10);
  EXPECT_EQ(parameter_count(network), by_hand);
  EXPECT_EQ(parameter_count(network), 61706);
  EXPECT_EQ(parameter_count(build_network("lenet5", {{1, 32, 32}})), 61706);
}

TEST(Mlp, HasThreeLayersWithBiases) {
  EXPECT_EQ(parameter_count(build_network("mlp", {kMnist})),
            784 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10);
  EXPECT_EQ(parameter_count(build_network("mlp", {{20, 1, 1}, 3, 6})),
            20 * 6 + 6 + 6 * 2 + 2 + 2 * 3 + 3);
}

struct EveryNetwork : ::testing::TestWithParam<NetworkEntry> {};

TEST_P(EveryNetwork, EndsInOneLogitPerClass) {
  const Network network = build_network(GetParam().name, {kCifar, 7});
  EXPECT_EQ(network.nodes.back().shape, (Shape{7, 1, 1}));
  EXPECT_EQ(network.classes(), 7);
  EXPECT_EQ(network.name, GetParam().name);
}

TEST_P(EveryNetwork, ReadsEveryNodeAndNamesItOnce) {
  const Network network = build_network(GetParam().name, {kCifar});
  const auto readers = network.readers();
  std::set<std::string> names;
  for (std::size_t n = 0; n < network.nodes.size(); ++n) {
    EXPECT_EQ(readers[n].empty(), n + 1 == network.nodes.size());
    EXPECT_TRUE(names.insert(network.nodes[n].name).second);
    for (const std::int32_t input : network.nodes[n].inputs) {
      EXPECT_LT(input, static_cast<std::int32_t>(n));
    }
  }
}

TEST_P(EveryNetwork, TakesItsDefaultWidthForZeroAndGrowsWithIt) {
  const NetworkEntry& entry = GetParam();
  const std::int64_t size = parameter_count(build_network(entry.name, {kCifar}));
  EXPECT_EQ(size, parameter_count(build_network(entry.name, {kCifar, 10, entry.default_width})));
  EXPECT_LT(size,
            parameter_count(build_network(entry.name, {kCifar, 10, 2 * entry.default_width})));
}

TEST_P(EveryNetwork, IsDescribed) {
  EXPECT_FALSE(GetParam().about.empty());
  EXPECT_FALSE(GetParam().reference.empty());
}

INSTANTIATE_TEST_SUITE_P(Table, EveryNetwork, ::testing::ValuesIn(network_table()),
                         [](const auto& entry) { return std::string(entry.param.name); });

TEST(BuildNetwork, UnknownNamesListTheKnownOnes) {
  EXPECT_THAT([] { return build_network("resnet21", {kCifar}); },
              ::testing::Throws<UsageError>(::testing::Property(
                  "what", &UsageError::what,
                  ::testing::AllOf(HasSubstr("--network: 'resnet21' is none of: mlp, lenet5"),
                                   HasSubstr("resnet20")))));
}

TEST(BuildNetwork, ImpossibleSizesAreErrors) {
  GCG_EXPECT_ERROR(build_network("mlp", {kMnist, 1}), HasSubstr("width 300 and 1 classes"));
  GCG_EXPECT_ERROR(build_network("mlp", {kMnist, 10, -4}), HasSubstr("width -4 and 10 classes"));
  GCG_EXPECT_ERROR(build_network("lenet5", {{1, 4, 4}}), HasSubstr("does not fit"));
  GCG_EXPECT_ERROR(build_network("resnet8", {{3, 0, 0}}), HasSubstr("is not positive"));
}

}  // namespace
}  // namespace gcg
