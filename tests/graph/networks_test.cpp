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
constexpr Shape kImageNet{3, 224, 224};

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

/// Parameters and multiply-adds of one forward pass, as published for an implementation of the
/// network (differences named beside the row), and as counted by hand where nobody published them.
struct PublishedSize {
  const char* network;
  Shape input;
  std::int64_t classes;
  std::int64_t parameters;
  std::int64_t multiply_adds;
};

struct PublishedNetwork : ::testing::TestWithParam<PublishedSize> {};

TEST_P(PublishedNetwork, HasItsSize) {
  const PublishedSize& published = GetParam();
  const Network network = build_network(published.network, {published.input, published.classes, 0});
  EXPECT_EQ(parameter_count(network), published.parameters);
  EXPECT_EQ(dense_multiply_adds(network), static_cast<double>(published.multiply_adds));
}

// The projections of the CIFAR networks add 2752 to the parameters of the form with parameter-free
// shortcuts (464154 and 853018). Multiply-adds: those of ResNet-20 and two 3x3 convolutions for
// each block more, the same number in each stage.
constexpr std::int64_t kBlock = 2 * 2304 * 1024;

INSTANTIATE_TEST_SUITE_P(
    Published, PublishedNetwork,
    ::testing::Values(PublishedSize{"resnet32", kCifar, 10, 464154 + 2752, 40813184 + 6 * kBlock},
                      PublishedSize{"resnet56", kCifar, 10, 853018 + 2752, 40813184 + 18 * kBlock},
                      // Published with biases in the convolutions: 9231114, 14728266 and 20040522.
                      PublishedSize{"vgg11", kCifar, 10, 9231114 - 2752, 152769536},
                      PublishedSize{"vgg16", kCifar, 10, 14728266 - 4224, 313201664},
                      PublishedSize{"vgg19", kCifar, 10, 20040522 - 5504, 398136320},
                      PublishedSize{"resnet18", kImageNet, 1000, 11689512, 1814073344},
                      PublishedSize{"resnet34", kImageNet, 1000, 21797672, 3663761408},
                      PublishedSize{"resnet50", kImageNet, 1000, 25557032, 4089184256},
                      PublishedSize{"resnet18_small", kCifar, 10, 11173962, 555422720},
                      PublishedSize{"resnet34_small", kCifar, 10, 21282122, 1159402496},
                      PublishedSize{"resnet50_small", kCifar, 10, 23520842, 1297829888}),
    [](const auto& row) { return std::string(row.param.network); });

TEST(WideResNet, HasTheSizeCountedByHand) {
  const Network network = build_network("wrn22_2", {kCifar});
  constexpr std::int64_t stem = 3 * 16 * 9;
  constexpr std::int64_t stage1 = 9 * (16 * 32 + 5 * 32 * 32) + 16 * 32;
  constexpr std::int64_t stage2 = 9 * (32 * 64 + 5 * 64 * 64) + 32 * 64;
  constexpr std::int64_t stage3 = 9 * (64 * 128 + 5 * 128 * 128) + 64 * 128;
  constexpr std::int64_t norms = 16 + 5 * 32 + 32 + 5 * 64 + 64 + 5 * 128 + 128;
  EXPECT_EQ(parameter_count(network), stem + stage1 + stage2 + stage3 + 2 * norms + 128 * 10 + 10);
  EXPECT_EQ(dense_multiply_adds(network),
            (stem + stage1) * 1024 + stage2 * 256 + stage3 * 64 + 128 * 10);
  EXPECT_EQ(network.layers.size(), 1U + 18U + 3U + 1U);
}

// The authors' table: 17.2 million parameters at widening 8.
TEST(WideResNet, HasThePublishedSizeAtWideningEight) {
  const auto parameters =
      static_cast<double>(parameter_count(build_network("wrn22_2", {kCifar, 10, 8 * 16})));
  EXPECT_NEAR(parameters / 1e6, 17.2, 0.05);
}

TEST(ResNet50, HasFiftyLayersFourProjectionsAndTheStrideInThe3x3) {
  const Network network = build_network("resnet50", {kImageNet, 1000});
  EXPECT_EQ(network.layers.size(), 50U + 4U);
  for (const Layer& layer : network.layers) {
    const Node& node = network.nodes[static_cast<std::size_t>(layer.node)];
    if (layer.taps() == 1 && layer.name.find("projection") == std::string::npos) {
      EXPECT_EQ(node.window.stride, 1) << layer.name;
    }
  }
}

TEST(SmallImageResNet, DiffersFromTheLargeOneInTheStemAlone) {
  for (const std::string name : {"resnet18", "resnet34", "resnet50"}) {
    const Network large = build_network(name, {kImageNet, 200});
    const Network small = build_network(name + "_small", {{3, 64, 64}, 200});
    ASSERT_EQ(large.layers.size(), small.layers.size());
    EXPECT_EQ(large.layers[0].taps(), 49);
    EXPECT_EQ(small.layers[0].taps(), 9);
    for (std::size_t l = 1; l < large.layers.size(); ++l) {
      EXPECT_EQ(large.layers[l].connections(), small.layers[l].connections());
    }
  }
}

// Published: 5,717,416 parameters and 1.3 billion multiply-adds (Touvron et al. 2021), 1.26 billion
// by counters that leave bias and softmax out.
TEST(DeitTiny, HasThePublishedSize) {
  const Network network = build_network("deit_tiny", {kImageNet, 1000});
  EXPECT_EQ(parameter_count(network), 5717416);
  EXPECT_EQ(network.layers.size(), 1U + 12U * 6U + 1U);
  EXPECT_EQ(operations(network, Operation::attention), 12);
  constexpr std::int64_t patches = 196 * 768 * 192;
  constexpr std::int64_t block = 197 * (4 + 8) * 192 * 192;
  constexpr std::int64_t products = 2 * 197 * 197 * 192;
  EXPECT_EQ(attention_multiply_adds(network), 12 * products);
  EXPECT_EQ(dense_multiply_adds(network), patches + 12 * (block + products) + 192 * 1000);
  EXPECT_NEAR(dense_multiply_adds(network), 1.26e9, 0.01e9);
}

// Patches, class token and positions; per block two norms, Q, K, V, projection and perceptron; the
// last norm; the classifier.
TEST(Vit6Small, HasTheSizeCountedByHand) {
  const Network network = build_network("vit6_small", {kCifar});
  constexpr std::int64_t tokens = 48 * 96 + 96 + 96 + 65 * 96;
  constexpr std::int64_t block = 2 * 2 * 96 + 4 * (96 * 96 + 96) + 2 * 4 * 96 * 96 + 5 * 96;
  EXPECT_EQ(parameter_count(network), tokens + 6 * block + 2 * 96 + 96 * 10 + 10);
  EXPECT_EQ(network.connections(), 48 * 96 + 6 * 12 * 96 * 96 + 96 * 10);
}

TEST(VisionTransformer, NeedsWholePatchesAndAWholeWidthPerHead) {
  GCG_EXPECT_ERROR(
      build_network("vit6_small", {{3, 30, 32}}),
      HasSubstr("no whole number of patches of 4\n  remedy: take another --network, or "
                "images whose sides are multiples of 4"));
  GCG_EXPECT_ERROR(
      build_network("vit6_small", {kCifar, 10, 16}),
      HasSubstr("16 channels cannot be split into 3 heads\n  remedy: take a width that is "
                "a multiple of 3 (--width 18)"));
}

TEST(VisionTransformer, DropsTheBranchesOfLaterBlocksMoreOften) {
  const Network network = build_network("deit_tiny", {{3, 224, 224}, 1000, 0, 0.11});
  std::vector<double> rates;
  for (const Node& node : network.nodes) {
    if (node.operation == Operation::drop_path) {
      rates.push_back(node.drop_rate);
      EXPECT_EQ(node.drop, std::ssize(rates) - 1);
    }
  }
  ASSERT_EQ(rates.size(), 22U);  // two for every block but the first
  EXPECT_EQ(network.drop_count, 22);
  for (std::size_t i = 0; i < rates.size(); ++i) {
    EXPECT_NEAR(rates[i], 0.01 * static_cast<double>(i / 2 + 1), 1e-12);
  }
  EXPECT_EQ(parameter_count(network),
            parameter_count(build_network("deit_tiny", {{3, 224, 224}, 1000})));
  EXPECT_EQ(build_network("vit6_small", {kCifar}).drop_count, 0);
  GCG_EXPECT_ERROR(build_network("resnet8", {kCifar, 10, 0, 0.1}),
                   HasSubstr("only vision transformers have it here"));
  GCG_EXPECT_ERROR(build_network("vit6_small", {kCifar, 10, 0, 1}), HasSubstr("to below 1"));
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
  EXPECT_EQ(entry.default_width % entry.width_step, 0);
  EXPECT_LT(0, parameter_count(build_network(entry.name, {kCifar, 10, entry.width_step})));
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
