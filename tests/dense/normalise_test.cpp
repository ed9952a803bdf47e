#include "dense/normalise.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"

namespace gcg {
namespace {

/// Channels that do and do not divide the width of vectors, positions from one to several chunks.
struct Case {
  std::int64_t positions;
  std::int64_t channels;
};
constexpr Case kCases[] = {{1, 1},  {2, 3},    {7, 8},   {100, 5},   {33, 16},
                           {3, 64}, {20, 130}, {2, 300}, {9000, 16}, {4001, 24}};

std::vector<float> random_values(std::int64_t count, std::uint64_t index, double centre = 0) {
  RandomStream stream(1, "normalise-test", index);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) {
    value = static_cast<float>(centre + stream.normal());
  }
  return values;
}

Normalisation random_norm(std::int64_t channels) {
  return {random_values(channels, 10), random_values(channels, 11, 1), random_values(channels, 12)};
}

TEST(Normalise, MomentsAreMeanAndBiasedVariance) {
  for (const auto& [positions, channels] : kCases) {
    for (const double centre : {0.0, 1000.0}) {
      SCOPED_TRACE(fmt::format("{} x {} around {}", positions, channels, centre));
      const std::vector<float> input = random_values(positions * channels, 1, centre);
      const ChannelMoments moments = channel_moments(input, channels);
      ASSERT_EQ(std::ssize(moments.mean), channels);
      for (std::size_t c = 0; c < moments.mean.size(); ++c) {
        double mean = 0;
        double variance = 0;
        for (std::size_t i = c; i < input.size(); i += moments.mean.size()) {
          mean += static_cast<double>(input[i]) / static_cast<double>(positions);
        }
        for (std::size_t i = c; i < input.size(); i += moments.mean.size()) {
          variance +=
              std::pow(static_cast<double>(input[i]) - mean, 2) / static_cast<double>(positions);
        }
        ASSERT_NEAR(moments.mean[c], mean, 1e-6 * (1 + centre)) << c;
        ASSERT_NEAR(moments.variance[c], variance, 1e-5 * (1 + centre / 100)) << c;
      }
    }
  }
}

TEST(Normalise, AConstantChannelHasNoVariance) {
  const std::vector<float> input(5000 * 8, 0.1F);
  for (const double variance : channel_moments(input, 8).variance) {
    EXPECT_LT(variance, 1e-12);
    EXPECT_GE(variance, 0);
  }
}

TEST(Normalise, IsTheFormulaElementByElement) {
  for (const auto& [positions, channels] : kCases) {
    SCOPED_TRACE(fmt::format("{} x {}", positions, channels));
    const std::vector<float> input = random_values(positions * channels, 2);
    const std::vector<float> beside = random_values(positions * channels, 3);
    const Normalisation norm = random_norm(channels);
    for (const bool relu : {false, true}) {
      for (const bool shortcut : {false, true}) {
        std::vector<float> output(input.size());
        normalise(norm, input, shortcut ? beside : std::vector<float>{}, relu, output);
        for (std::size_t i = 0; i < input.size(); ++i) {
          const std::size_t c = i % norm.mean.size();
          float expected = (input[i] - norm.mean[c]) * norm.slope[c] + norm.shift[c];
          expected += shortcut ? beside[i] : 0;
          ASSERT_EQ(output[i], relu ? std::max(0.0F, expected) : expected) << i;
        }
      }
    }
  }
}

TEST(Normalise, BackwardIsTheFormulaElementByElement) {
  for (const auto& [positions, channels] : kCases) {
    SCOPED_TRACE(fmt::format("{} x {}", positions, channels));
    const std::vector<float> input = random_values(positions * channels, 4);
    const std::vector<float> gradient = random_values(positions * channels, 5);
    const std::vector<float> factor = random_values(channels, 6);
    const std::vector<float> constant = random_values(channels, 7);
    const Normalisation norm = random_norm(channels);
    for (const bool relu : {false, true}) {
      std::vector<float> output(input.size());
      normalise(norm, input, {}, relu, output);
      const GradientSums sums = gradient_sums(norm, input, relu, gradient);
      std::vector<float> input_gradient(input.size());
      normalise_backward(norm, input, relu, gradient, factor, constant, input_gradient);
      std::vector<double> sum(norm.mean.size(), 0.0);
      std::vector<double> centred_sum(norm.mean.size(), 0.0);
      for (std::size_t i = 0; i < input.size(); ++i) {
        const std::size_t c = i % norm.mean.size();
        const float centred = input[i] - norm.mean[c];
        const float g = relu && output[i] == 0 ? 0 : gradient[i];
        ASSERT_EQ(input_gradient[i], norm.slope[c] * g + (factor[c] * centred + constant[c])) << i;
        sum[c] += static_cast<double>(g);
        centred_sum[c] += static_cast<double>(g) * static_cast<double>(centred);
      }
      const double tolerance = 1e-6 * static_cast<double>(positions) + 1e-5;
      for (std::size_t c = 0; c < sum.size(); ++c) {
        ASSERT_NEAR(sums.gradient[c], sum[c], tolerance) << c;
        ASSERT_NEAR(sums.centred[c], centred_sum[c], tolerance) << c;
      }
    }
  }
}

TEST(Normalise, GivesTheSameBitsForAnyNumberOfThreads) {
  const std::vector<float> input = random_values(9000 * 24, 8);
  const std::vector<float> gradient = random_values(9000 * 24, 9);
  const Normalisation norm = random_norm(24);
  at::set_num_threads(1);
  const ChannelMoments moments = channel_moments(input, 24);
  const GradientSums sums = gradient_sums(norm, input, true, gradient);
  at::set_num_threads(3);
  const ChannelMoments parallel_moments = channel_moments(input, 24);
  const GradientSums parallel_sums = gradient_sums(norm, input, true, gradient);
  at::set_num_threads(1);
  EXPECT_EQ(moments.mean, parallel_moments.mean);
  EXPECT_EQ(moments.variance, parallel_moments.variance);
  EXPECT_EQ(sums.gradient, parallel_sums.gradient);
  EXPECT_EQ(sums.centred, parallel_sums.centred);
}

TEST(Normalise, LetsNotANumberThrough) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> input{1.0F, nan, 3.0F};
  EXPECT_TRUE(std::isnan(channel_moments(input, 1).mean[0]));
  EXPECT_TRUE(std::isnan(channel_moments(input, 1).variance[0]));
  std::vector<float> output(3);
  normalise({{0.0F}, {1.0F}, {0.0F}}, input, {}, true, output);
  EXPECT_TRUE(std::isnan(output[1]));
}

}  // namespace
}  // namespace gcg
