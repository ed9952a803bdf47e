#include "graph/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "base/throws.h"
#include "graph/networks.h"

namespace gcg {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::SizeIs;

Network resnet8() { return build_network("resnet8", {{3, 32, 32}}); }

TEST(InitialParameters, WeightsHaveVarianceTwoOverFanIn) {
  const Network network = resnet8();
  const Parameters parameters = initial_parameters(network, 1);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    SCOPED_TRACE(network.layers[l].name);
    double sum = 0;
    double squares = 0;
    for (const float weight : parameters.weights[l]) {
      sum += weight;
      squares += static_cast<double>(weight) * weight;
    }
    const auto n = static_cast<double>(parameters.weights[l].size());
    const double variance = 2.0 / static_cast<double>(network.layers[l].fan_in());
    // Four standard errors of the mean and of the variance of n normal numbers.
    EXPECT_NEAR(sum / n, 0, 4 * std::sqrt(variance / n));
    EXPECT_NEAR(squares / n, variance, 4 * variance * std::sqrt(2 / n));
  }
}

TEST(InitialParameters, EverythingElseIsNeutral) {
  const Parameters parameters = initial_parameters(resnet8(), 1);
  for (const NormParameters& norm : parameters.norms) {
    EXPECT_THAT(norm.scale, Each(1.0F));
    EXPECT_THAT(norm.shift, Each(0.0F));
    EXPECT_THAT(norm.mean, Each(0.0F));
    EXPECT_THAT(norm.variance, Each(1.0F));
  }
  for (const std::vector<float>& biases : parameters.biases) {
    EXPECT_THAT(biases, Each(0.0F));
  }
}

TEST(InitialParameters, FollowTheNamedStreamOfTheirLayer) {
  const Network network = resnet8();
  const Parameters parameters = initial_parameters(network, 42);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    RandomStream stream(42, "initial-weights", l);
    const double deviation = std::sqrt(2.0 / static_cast<double>(network.layers[l].fan_in()));
    EXPECT_EQ(parameters.weights[l][0], static_cast<float>(deviation * stream.normal()));
    EXPECT_EQ(parameters.weights[l][1], static_cast<float>(deviation * stream.normal()));
  }
}

// No mask enters, and a layer does not shift the numbers of the layers behind it.
TEST(InitialParameters, DependOnSeedAndLayerAlone) {
  const Network ten = build_network("mlp", {{20, 1, 1}, 10, 12});
  const Network three = build_network("mlp", {{20, 1, 1}, 3, 12});
  EXPECT_EQ(initial_parameters(ten, 5), initial_parameters(ten, 5));
  EXPECT_EQ(initial_parameters(ten, 5).weights[1], initial_parameters(three, 5).weights[1]);
  EXPECT_NE(initial_parameters(ten, 5).weights[1], initial_parameters(ten, 6).weights[1]);
  EXPECT_NE(initial_parameters(ten, 5).weights[0][0], initial_parameters(ten, 5).weights[1][0]);
}

TEST(ZeroSlots, HaveTheSizesOfTheNetworkAndNoStatistics) {
  const Network network = resnet8();
  const Parameters slots = zero_slots(network);
  check_sizes(network, slots);
  for (const std::vector<float>& weights : slots.weights) {
    EXPECT_THAT(weights, Each(0.0F));
  }
  EXPECT_THAT(slots.biases.front(), SizeIs(0));
  EXPECT_THAT(slots.biases.back(), SizeIs(10));
  for (const NormParameters& norm : slots.norms) {
    EXPECT_THAT(norm.scale, Each(0.0F));
    EXPECT_THAT(norm.mean, SizeIs(0));
    EXPECT_THAT(norm.variance, SizeIs(0));
  }
}

TEST(CheckSizes, NamesTheArrayThatDoesNotFit) {
  const Network network = resnet8();
  const Parameters good = initial_parameters(network, 1);
  check_sizes(network, good);

  Parameters bad = good;
  bad.weights[0].pop_back();
  GCG_EXPECT_ERROR(check_sizes(network, bad),
                   HasSubstr("resnet8: stem.conv weight: 431 values, expected 432"));
  bad = good;
  bad.biases.back().clear();
  GCG_EXPECT_ERROR(check_sizes(network, bad), HasSubstr("classifier bias: 0 values, expected 10"));
  bad = good;
  bad.biases[0].push_back(0);
  GCG_EXPECT_ERROR(check_sizes(network, bad), HasSubstr("stem.conv bias: 1 values, expected 0"));
  bad = good;
  bad.norms[0].variance.pop_back();
  GCG_EXPECT_ERROR(check_sizes(network, bad),
                   HasSubstr("stem.norm variance: 15 values, expected 16"));
  bad = good;
  bad.norms[0].mean.clear();
  GCG_EXPECT_ERROR(check_sizes(network, bad), HasSubstr("stem.norm mean: 0 values, expected 16"));
  bad = good;
  bad.norms[0].shift.push_back(0);
  GCG_EXPECT_ERROR(check_sizes(network, bad), HasSubstr("stem.norm shift"));
  bad = good;
  bad.norms.pop_back();
  GCG_EXPECT_ERROR(check_sizes(network, bad), HasSubstr("normalisations"));
  bad = good;
  bad.weights.pop_back();
  GCG_EXPECT_ERROR(check_sizes(network, bad), HasSubstr("resnet8: layers"));
}

TEST(InitialParameters, OfATransformerHaveSmallTokensAndNoRunningStatistics) {
  const Network network = build_network("vit6_small", {{3, 32, 32}});
  const Parameters parameters = initial_parameters(network, 7);
  RandomStream stream(7, "initial-tokens", 1);
  EXPECT_THAT(parameters.tokens.class_token, SizeIs(96));
  ASSERT_THAT(parameters.tokens.positions, SizeIs(96 * 65));
  EXPECT_EQ(parameters.tokens.positions[0], static_cast<float>(0.02 * stream.normal()));
  ASSERT_THAT(parameters.norms, SizeIs(13));
  for (const NormParameters& norm : parameters.norms) {
    EXPECT_THAT(norm.scale, Each(1.0F));
    EXPECT_THAT(norm.mean, SizeIs(0));
    EXPECT_THAT(norm.variance, SizeIs(0));
  }
  EXPECT_NO_THROW(check_sizes(network, parameters));
  EXPECT_NO_THROW(check_sizes(network, zero_slots(network)));
  Parameters wrong = parameters;
  wrong.tokens.positions.pop_back();
  GCG_EXPECT_ERROR(check_sizes(network, wrong), HasSubstr("vit6_small: position table"));
  wrong = parameters;
  wrong.norms[0].mean.assign(96, 0.0F);
  GCG_EXPECT_ERROR(check_sizes(network, wrong), HasSubstr("block1.norm1 mean"));
}

}  // namespace
}  // namespace gcg
