// The kernels of transformers against the plain ones, and those against definitions.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "sparse/kernels.h"

namespace gcg::sparse {
namespace {

/// Random normal numbers.
Tensor numbers(std::int64_t positions, RandomStream& stream) {
  Tensor tensor(static_cast<std::size_t>(positions));
  for (Position& position : tensor) {
    std::ranges::generate(position.lanes, [&] { return static_cast<float>(2 * stream.normal()); });
  }
  return tensor;
}

float* data(Tensor& tensor) { return tensor.data()->lanes.data(); }

Position lanes_of(std::size_t samples) {
  Position lanes;
  std::fill_n(lanes.lanes.begin(), samples, std::bit_cast<float>(~std::uint32_t{0}));
  return lanes;
}

/// Equal bits, or close to each other where rounding may differ.
void expect_alike(bool fused, const Tensor& found, const Tensor& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (std::size_t l = 0; l < found[i].lanes.size(); ++l) {
      const float a = found[i].lanes[l];
      const float b = expected[i].lanes[l];
      if (fused) {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(a), std::bit_cast<std::uint32_t>(b))
            << a << " and " << b << " at " << i << ", lane " << l;
      } else {
        ASSERT_NEAR(a, b, 2e-5F * (1 + std::abs(b))) << i << ", lane " << l;
      }
    }
  }
}

/// Calls f(kernels, stream) for every instruction set and some streams.
template <typename F>
void for_each_kernels(F f) {
  for (const Kernels* kernels : vector_kernels()) {
    for (std::uint64_t seed = 1; seed <= 25; ++seed) {
      SCOPED_TRACE(fmt::format("{}, seed {}", kernels->name, seed));
      RandomStream stream(seed, "transformer-kernels");
      f(*kernels, stream);
    }
  }
}

std::int64_t between(RandomStream& stream, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(high - low + 1)));
}

TEST(TransformerKernels, MultiplyLikeTheReference) {
  for_each_kernels([&](const Kernels& kernels, RandomStream& stream) {
    const std::int64_t rows = between(stream, 1, 13);
    const std::int64_t columns = between(stream, 1, 13);
    const std::int64_t depth = between(stream, 1, 150);
    Tensor a = numbers(rows * depth, stream);
    Tensor b = numbers(columns * depth, stream);
    // Rows of a follow each other, those of b lie side by side; results are written in columns.
    const Products of{rows,   columns,          depth,  depth * kLanes, kLanes,
                      kLanes, columns * kLanes, kLanes, rows * kLanes};
    for (const bool accumulate : {false, true}) {
      Tensor found = numbers(rows * columns, stream);
      Tensor expected = found;
      kernels.multiply(of, data(a), data(b), accumulate, data(found));
      reference_kernels().multiply(of, data(a), data(b), accumulate, data(expected));
      expect_alike(kernels.fused, found, expected);
    }
  });
}

TEST(TransformerKernels, TakeSoftmaxAndItsGradientLikeTheReference) {
  for_each_kernels([&](const Kernels& kernels, RandomStream& stream) {
    const std::int64_t rows = between(stream, 1, 4);
    const std::int64_t count = between(stream, 1, 19);
    Tensor found = numbers(rows * count, stream);
    Tensor expected = found;
    kernels.softmax(rows, count, 0.7F, data(found));
    reference_kernels().softmax(rows, count, 0.7F, data(expected));
    expect_alike(kernels.fused, found, expected);
    Tensor gradient = numbers(rows * count, stream);
    Tensor expected_gradient = gradient;
    kernels.softmax_gradient(rows, count, 0.7F, data(found), data(gradient));
    reference_kernels().softmax_gradient(rows, count, 0.7F, data(found), data(expected_gradient));
    expect_alike(kernels.fused, gradient, expected_gradient);
  });
}

TEST(TransformerKernels, ApplyGeluLikeTheReference) {
  for_each_kernels([&](const Kernels& kernels, RandomStream& stream) {
    const std::int64_t height = between(stream, 1, 3);
    const std::int64_t width = between(stream, 1, 9);
    const Plane plane{height, width * kLanes, (width + 1) * kLanes, 0};
    Tensor x = numbers(height * (width + 1), stream);
    x[0].lanes = {0.0F, -0.0F, 100.0F, -100.0F, 1e-30F, 13.5F, -13.5F};
    Tensor found = numbers(height * (width + 1), stream);
    Tensor expected = found;
    kernels.gelu(plane, data(x), data(found));
    reference_kernels().gelu(plane, data(x), data(expected));
    expect_alike(kernels.fused, found, expected);
    Tensor g = numbers(height * (width + 1), stream);
    for (const bool accumulate : {false, true}) {
      kernels.gelu_gradient(plane, data(x), data(g), accumulate, data(found));
      reference_kernels().gelu_gradient(plane, data(x), data(g), accumulate, data(expected));
      expect_alike(kernels.fused, found, expected);
    }
  });
}

TEST(TransformerKernels, NormaliseLayersLikeTheReference) {
  for_each_kernels([&](const Kernels& kernels, RandomStream& stream) {
    const Kernels& plain = reference_kernels();
    const Columns of{between(stream, 1, 9), between(stream, 20, 22) * kLanes,
                     between(stream, 1, 19)};
    const std::int64_t size = of.channels * of.plane / kLanes;
    Tensor x = numbers(size, stream);
    Tensor moments = numbers(2 * of.positions, stream);
    Tensor expected_moments = moments;
    float* const slope = data(moments) + of.positions * kLanes;
    kernels.layer_moments(of, 1e-6F, data(x), data(moments), slope);
    plain.layer_moments(of, 1e-6F, data(x), data(expected_moments),
                        data(expected_moments) + of.positions * kLanes);
    if (of.channels > 1) {  // else the slope is that of rounding errors
      expect_alike(kernels.fused, moments, expected_moments);
    }
    std::vector<float> scale(static_cast<std::size_t>(of.channels));
    std::vector<float> shift(scale.size());
    std::ranges::generate(scale, [&] { return static_cast<float>(stream.normal()); });
    std::ranges::generate(shift, [&] { return static_cast<float>(stream.normal()); });
    const LayerNorm norm{scale.data(), shift.data(), data(moments), slope};
    const Position lanes = lanes_of(static_cast<std::size_t>(between(stream, 1, 16)));
    Tensor found = numbers(size, stream);
    Tensor expected = found;
    kernels.layer_normalise(of, norm, data(x), lanes.lanes.data(), data(found));
    plain.layer_normalise(of, norm, data(x), lanes.lanes.data(), data(expected));
    expect_alike(kernels.fused, found, expected);
    Tensor g = numbers(size, stream);
    for (const bool accumulate : {false, true}) {
      Tensor sums = numbers(2 * of.channels, stream);
      Tensor expected_sums = sums;
      kernels.layer_norm_gradient(of, norm, data(x), data(g), accumulate, data(found), data(sums));
      plain.layer_norm_gradient(of, norm, data(x), data(g), accumulate, data(expected),
                                data(expected_sums));
      if (kernels.fused || of.channels > 1) {
        expect_alike(kernels.fused, found, expected);
        expect_alike(kernels.fused, sums, expected_sums);
      }
    }
  });
}

/// Sixteen numbers through f(kernels, x).
template <typename F>
float through(F f, float x) {
  Position position;
  position.lanes.fill(x);
  f(position.lanes.data());
  return position.lanes[5];
}

/// The bounds that exponential.h states, on a grid that no part of the approximation knows.
TEST(TransformerKernels, KeepTheErrorBoundsOfExponentialAndGelu) {
  const Plane one{1, kLanes, kLanes, 0};
  std::vector<const Kernels*> all = vector_kernels();
  all.push_back(&reference_kernels());
  for (const Kernels* kernels : all) {
    SCOPED_TRACE(kernels->name);
    // Softmax of x and 0: e^x / (1 + e^x), of which e^x has all of the relative error for x << 0.
    for (double x = -87; x <= 0; x += 0.00371) {
      Tensor pair(2);
      pair[0].lanes.fill(static_cast<float>(x));
      kernels->softmax(1, 2, 1, data(pair));
      const double power = std::exp(static_cast<double>(static_cast<float>(x)));
      const double expected = power / (1 + power);
      ASSERT_NEAR(pair[0].lanes[3], expected, 4e-7 * expected) << x;
    }
    for (double x = -13; x <= 13; x += 0.00137) {
      const float value = static_cast<float>(x);
      const double exact = static_cast<double>(value);
      const double distribution = std::erfc(-exact / std::sqrt(2.0)) / 2;
      const float found = through([&](float* at) { kernels->gelu(one, at, at); }, value);
      ASSERT_NEAR(found, exact * distribution, 2.5e-7 * std::abs(exact)) << x;
      if (std::abs(x) <= 5) {
        ASSERT_NEAR(found, exact * distribution, 2e-6 * std::abs(exact * distribution)) << x;
      }
      Position gradient;
      gradient.lanes.fill(1);
      through(
          [&](float* at) {
            kernels->gelu_gradient(one, at, gradient.lanes.data(), false, gradient.lanes.data());
          },
          value);
      const double density = std::exp(-exact * exact / 2) / std::sqrt(2 * 3.14159265358979323846);
      ASSERT_NEAR(gradient.lanes[2], distribution + exact * density, 4e-7) << x;
    }
  }
}

TEST(TransformerKernels, SoftmaxOfLargeAndEqualAndMissingNumbers) {
  for (const Kernels* kernels : vector_kernels()) {
    SCOPED_TRACE(kernels->name);
    Tensor x(3);
    x[0].lanes = {1e30F, 5.0F, -1e30F, std::numeric_limits<float>::quiet_NaN()};
    x[1].lanes = {-1e30F, 5.0F, -1e30F, 1.0F};
    x[2].lanes = {0.0F, 5.0F, -1e30F, 2.0F};
    kernels->softmax(1, 3, 1, data(x));
    EXPECT_EQ(x[0].lanes[0], 1.0F);
    EXPECT_LT(x[2].lanes[0], 1e-37F);
    for (const Position& position : x) {
      EXPECT_FLOAT_EQ(position.lanes[1], 1.0F / 3);
      EXPECT_FLOAT_EQ(position.lanes[2], 1.0F / 3);
      EXPECT_TRUE(std::isnan(position.lanes[3]));
    }
  }
}

}  // namespace
}  // namespace gcg::sparse
