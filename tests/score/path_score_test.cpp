#include "score/path_score.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/throws.h"
#include "graph/networks.h"
#include "paths/reference.h"

namespace gcg::testing {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Network small_resnet() { return build_network("resnet8", {{3, 8, 8}, 10, 4}); }

TEST(PathScore, IsTheLogarithmOfTheSumOverPathsOfTheOtherFactors) {
  int cases = 0;
  for (std::uint64_t seed = 0; cases < 40; ++seed) {
    SCOPED_TRACE(seed);
    RandomStream stream(seed, "path-score-test");
    const Network network = random_network(stream);
    const Parameters parameters = random_parameters(network, stream);
    const Mask mask = random_mask(network, 0.7, stream);
    for (const int power : {1, 2}) {
      const PathReference reference(network, parameters, mask, {PathNorm::folded, power});
      if (reference.paths() > 4000) {
        continue;
      }
      ++cases;
      const auto expected = reference.connection_sums();
      const Scores scores = path_scores(network, parameters, mask, {PathNorm::folded, power});
      ASSERT_EQ(scores.log_values.size(), network.layers.size());
      for (std::size_t l = 0; l < expected.size(); ++l) {
        ASSERT_EQ(scores.log_values[l].size(), expected[l].size());
        for (std::size_t c = 0; c < expected[l].size(); ++c) {
          if (expected[l][c] == 0) {
            EXPECT_EQ(scores.log_values[l][c], -kInfinity);
          } else {
            EXPECT_NEAR(scores.log_values[l][c], std::log(expected[l][c]), 1e-11);
          }
        }
      }
    }
  }
}

TEST(PathScore, OfOtherUnitsDoesNotChangeWhenAChannelIsRescaledBeforeItsNormalisation) {
  const Network network = small_resnet();
  RandomStream stream(3, "path-score-test");
  const Mask mask = random_mask(network, 0.5, stream);
  Parameters parameters = initial_parameters(network, 8);
  for (NormParameters& norm : parameters.norms) {
    for (std::size_t c = 0; c < norm.scale.size(); ++c) {
      norm.scale[c] = static_cast<float>(0.5 + stream.uniform());
      norm.variance[c] = static_cast<float>(1000 * (1 + stream.uniform()));
    }
  }
  constexpr std::size_t kLayer = 2;  // stage1.block1.conv2, before the second norm of its block
  constexpr std::int64_t kUnit = 1;
  ASSERT_EQ(network.layers[kLayer].name, "stage1.block1.conv2");
  const std::int64_t fan_in = network.layers[kLayer].fan_in();
  for (const int power : {1, 2}) {
    const PathOptions options{PathNorm::folded, power};
    const Scores before = path_scores(network, parameters, mask, options);
    constexpr float kFactor = 8;
    Parameters rescaled = parameters;
    for (std::int64_t c = kUnit * fan_in; c < (kUnit + 1) * fan_in; ++c) {
      rescaled.weights[kLayer][c] *= kFactor;
    }
    rescaled.norms[2].mean[kUnit] *= kFactor;
    rescaled.norms[2].variance[kUnit] *= kFactor * kFactor;
    const Scores after = path_scores(network, rescaled, mask, options);
    // The normalisation's epsilon, 1e-5 beside a variance of 1000, is what remains.
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      for (std::int64_t c = 0; c < network.layers[l].connections(); ++c) {
        const bool own = l == kLayer && c / fan_in == kUnit;
        // score x |w|^power stays: the unit's own incoming connections score less by the factor.
        const double expected =
            before.log_values[l][c] - (own ? power * std::log(static_cast<double>(kFactor)) : 0);
        if (std::isfinite(expected)) {
          ASSERT_NEAR(after.log_values[l][c], expected, 1e-7);
        } else {
          ASSERT_EQ(after.log_values[l][c], expected);
        }
      }
    }
  }
}

TEST(PathScore, CountsUnitsThatAReluSilences) {
  // All weights into the hidden units are negative: on the all-ones input every ReLU is off.
  const Network network = build_network("mlp", {{4, 1, 1}, 3, 6});
  Parameters parameters = initial_parameters(network, 3);
  const Scores expected = [&] {
    for (auto& weights : parameters.weights) {
      for (float& weight : weights) {
        weight = std::abs(weight);
      }
    }
    return path_scores(network, parameters, Mask(network, true));
  }();
  for (auto& weights : parameters.weights) {
    for (float& weight : weights) {
      weight = -weight;
    }
  }
  parameters.biases[0].assign(parameters.biases[0].size(), -1e6F);
  const Scores scores = path_scores(network, parameters, Mask(network, true));
  EXPECT_EQ(scores.log_values, expected.log_values);
  for (const auto& layer : scores.log_values) {
    EXPECT_THAT(layer, Each(::testing::Gt(-kInfinity)));
  }
}

TEST(PathScore, OfAFullNetworkIsNoError) {
  const Network network = small_resnet();
  const Scores scores = path_scores(network, initial_parameters(network, 1), Mask(network, true));
  for (const auto& layer : scores.log_values) {
    EXPECT_THAT(layer, Each(::testing::AllOf(::testing::Gt(-kInfinity), ::testing::Lt(kInfinity))));
  }
}

TEST(PathScore, IsPureAndRepeatsBitForBit) {
  const Network network = small_resnet();
  const Parameters parameters = initial_parameters(network, 1);
  RandomStream stream(4, "path-score-test");
  const Mask mask = random_mask(network, 0.2, stream);
  const Parameters parameters_before = parameters;
  const Mask mask_before = mask;
  const Scores first = path_scores(network, parameters, mask);
  EXPECT_EQ(path_scores(network, parameters, mask).log_values, first.log_values);
  EXPECT_EQ(parameters, parameters_before);
  EXPECT_EQ(mask, mask_before);
}

TEST(PathScore, IsZeroEverywhereWithoutTwoEndsOfAPath) {
  const Network network = small_resnet();
  const Scores scores = path_scores(network, initial_parameters(network, 1), Mask(network, false));
  for (const auto& layer : scores.log_values) {
    EXPECT_THAT(layer, Each(-kInfinity));
  }
}

TEST(PathScore, NamesTheLayerOfAWeightThatIsNoNumber) {
  const Network network = small_resnet();
  Parameters parameters = initial_parameters(network, 1);
  parameters.weights.back()[3] = std::numeric_limits<float>::quiet_NaN();
  GCG_EXPECT_ERROR(path_scores(network, parameters, Mask(network, true)),
                   HasSubstr("resnet8: classifier: weight 3 is nan"));
}

TEST(MagnitudeScores, AreLogarithmsOfAbsoluteValues) {
  const Network network = build_network("mlp", {{2, 1, 1}, 2, 3});
  auto values = zero_slots(network).weights;
  values[0] = {1, -1, 0, -2.5F, 1e-40F, 3e38F};
  const Scores scores = magnitude_scores(network, values);
  EXPECT_EQ(scores.log_values[0], (std::vector<double>{0, 0, -kInfinity, std::log(2.5),
                                                       std::log(static_cast<double>(1e-40F)),
                                                       std::log(static_cast<double>(3e38F))}));
  EXPECT_THAT(scores.log_values[1], Each(-kInfinity));
}

TEST(MagnitudeScores, RefuseValuesThatDoNotFitOrAreNoNumbers) {
  const Network network = build_network("mlp", {{2, 1, 1}, 2, 3});
  auto values = zero_slots(network).weights;
  values[1][2] = std::numeric_limits<float>::infinity();
  GCG_EXPECT_ERROR(magnitude_scores(network, values), HasSubstr("fc2: value 2 is inf"));
  values[1].pop_back();
  GCG_EXPECT_ERROR(magnitude_scores(network, values), HasSubstr("fc2: 2 values for 3"));
  values.pop_back();
  GCG_EXPECT_ERROR(magnitude_scores(network, values), HasSubstr("2 layers, the network has 3"));
}

TEST(UniformScores, AreTheSameEverywhere) {
  const Network network = build_network("mlp", {{2, 1, 1}, 2, 3});
  const Scores scores = uniform_scores(network);
  ASSERT_EQ(scores.log_values.size(), network.layers.size());
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    EXPECT_EQ(std::ssize(scores.log_values[l]), network.layers[l].connections());
    EXPECT_THAT(scores.log_values[l], Each(0));
  }
}

}  // namespace
}  // namespace gcg::testing
