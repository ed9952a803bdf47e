#include "sparse/kernels.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/random.h"

namespace gcg::sparse {
namespace {

/// A plane of random numbers with a gap behind every row, some of them zero or equal.
struct Sample {
  Plane plane;
  Tensor memory;

  Sample(std::int64_t height, std::int64_t width, RandomStream& stream)
      : plane{height, width * kLanes, (width + 1) * kLanes},
        memory(static_cast<std::size_t>(height * (width + 1))) {
    for (Position& position : memory) {
      for (float& value : position.lanes) {
        value = static_cast<float>(static_cast<std::int64_t>(stream.below(41)) - 20) * 0.173F;
      }
    }
  }
  float* data() { return memory.data()->lanes.data(); }
  std::vector<float> floats() const {
    std::vector<float> all;
    for (const Position& position : memory) {
      all.insert(all.end(), position.lanes.begin(), position.lanes.end());
    }
    return all;
  }
};

Position lanes_of(std::int64_t samples) {
  Position lanes;
  for (std::int64_t l = 0; l < samples; ++l) {
    lanes.lanes[static_cast<std::size_t>(l)] = std::bit_cast<float>(~std::uint32_t{0});
  }
  return lanes;
}

/// Equal bits, or close to each other where rounding may differ.
void expect_alike(bool fused, const std::vector<float>& found, const std::vector<float>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (fused) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(found[i]), std::bit_cast<std::uint32_t>(expected[i]))
          << found[i] << " and " << expected[i] << " at " << i;
    } else {
      ASSERT_NEAR(found[i], expected[i], 1e-4) << i;
    }
  }
}

void expect_alike(bool fused, double found, double expected) {
  if (fused) {
    EXPECT_EQ(found, expected);
  } else {
    EXPECT_NEAR(found, expected, 1e-5 * (1 + std::abs(expected)));
  }
}

/// Every instruction set, on planes of all widths that leave other remainders.
template <typename F>
void for_each_plane(F f) {
  for (const Kernels* kernels : vector_kernels()) {
    RandomStream stream(1, "planes");
    for (std::int64_t height = 1; height <= 4; ++height) {
      for (std::int64_t width = 1; width <= 9; ++width) {
        SCOPED_TRACE(fmt::format("{}, {}x{}", kernels->name, height, width));
        f(*kernels, height, width, stream);
      }
    }
  }
}

TEST(Kernels, AreThereForThisProcessor) {
  const auto kernels = vector_kernels();
#ifdef __x86_64__
  ASSERT_FALSE(kernels.empty());
  EXPECT_EQ(kernels.back()->name, std::string(GCG_NARROWEST_KERNELS));
#endif
  EXPECT_TRUE(reference_kernels().fused);
}

TEST(Kernels, SumLikeTheReference) {
  const Kernels& plain = reference_kernels();
  for_each_plane(
      [&](const Kernels& kernels, std::int64_t height, std::int64_t width, RandomStream& stream) {
        Sample x(height, width, stream);
        const Position lanes = lanes_of(1 + static_cast<std::int64_t>(stream.below(16)));
        expect_alike(kernels.fused, kernels.sum(x.plane, x.data()), plain.sum(x.plane, x.data()));
        expect_alike(kernels.fused, kernels.squares(x.plane, x.data(), 0.3F, lanes.lanes.data()),
                     plain.squares(x.plane, x.data(), 0.3F, lanes.lanes.data()));
      });
}

TEST(Kernels, SumWhatIsThere) {
  RandomStream stream(2, "planes");
  Sample x(3, 5, stream);
  double sum = 0;
  double squares = 0;
  for (std::size_t i = 0; i < x.memory.size(); ++i) {
    for (std::size_t l = 0; l < 16 && i % 6 < 5; ++l) {
      const double value = static_cast<double>(x.memory[i].lanes[l]);
      sum += value;
      squares += l < 3 ? (value - 0.5) * (value - 0.5) : 0;
    }
  }
  const Position lanes = lanes_of(3);
  EXPECT_NEAR(reference_kernels().sum(x.plane, x.data()), sum, 1e-4);
  EXPECT_NEAR(reference_kernels().squares(x.plane, x.data(), 0.5F, lanes.lanes.data()), squares,
              1e-4);
}

TEST(Kernels, NormaliseLikeTheReference) {
  const Kernels& plain = reference_kernels();
  const ChannelNorm norm{0.2F, 1.3F, -0.1F};
  for_each_plane([&](const Kernels& kernels, std::int64_t height, std::int64_t width,
                     RandomStream& stream) {
    for (const bool relu : {false, true}) {
      for (const bool addition : {false, true}) {
        Sample x(height, width, stream);
        Sample other(height, width, stream);
        Sample found(height, width, stream);
        Sample expected = found;
        const Position lanes = lanes_of(1 + static_cast<std::int64_t>(stream.below(16)));
        const float* beside = addition ? other.data() : nullptr;
        kernels.normalise(x.plane, norm, x.data(), beside, relu, lanes.lanes.data(), found.data());
        plain.normalise(x.plane, norm, x.data(), beside, relu, lanes.lanes.data(), expected.data());
        expect_alike(kernels.fused, found.floats(), expected.floats());
      }
    }
  });
}

TEST(Kernels, DifferentiateNormalisationsLikeTheReference) {
  const Kernels& plain = reference_kernels();
  for_each_plane(
      [&](const Kernels& kernels, std::int64_t height, std::int64_t width, RandomStream& stream) {
        for (const bool relu : {false, true}) {
          for (const bool addition : {false, true}) {
            const ChannelNormGradient norm{{0.2F, 1.3F, -0.1F}, relu && !addition, 0.7F, -0.4F};
            Sample x(height, width, stream);
            Sample y(height, width, stream);
            Sample g(height, width, stream);
            Sample g_expected = g;
            Sample found(height, width, stream);
            Sample expected = found;
            const Position lanes = lanes_of(1 + static_cast<std::int64_t>(stream.below(16)));
            float* output = relu && addition ? y.data() : nullptr;
            const GradientSums sums =
                kernels.norm_gradient_sums(x.plane, norm, x.data(), output, g.data());
            const GradientSums sums_expected =
                plain.norm_gradient_sums(x.plane, norm, x.data(), output, g_expected.data());
            expect_alike(kernels.fused, sums.gradient, sums_expected.gradient);
            expect_alike(kernels.fused, sums.centred, sums_expected.centred);
            expect_alike(kernels.fused, g.floats(), g_expected.floats());
            for (const bool accumulate : {false, true}) {
              kernels.norm_gradient(x.plane, norm, x.data(), g.data(), lanes.lanes.data(),
                                    accumulate, found.data());
              plain.norm_gradient(x.plane, norm, x.data(), g.data(), lanes.lanes.data(), accumulate,
                                  expected.data());
              expect_alike(kernels.fused, found.floats(), expected.floats());
            }
          }
        }
      });
}

TEST(Kernels, RectifyAndAddLikeTheReference) {
  const Kernels& plain = reference_kernels();
  for_each_plane(
      [&](const Kernels& kernels, std::int64_t height, std::int64_t width, RandomStream& stream) {
        Sample x(height, width, stream);
        x.memory[0].lanes = {-0.0F, 0.0F, std::numeric_limits<float>::quiet_NaN(), -1.0F};
        Sample g(height, width, stream);
        Sample found(height, width, stream);
        Sample expected = found;
        kernels.relu(x.plane, x.data(), found.data());
        plain.relu(x.plane, x.data(), expected.data());
        expect_alike(true, found.floats(), expected.floats());
        for (const bool accumulate : {false, true}) {
          kernels.relu_gradient(x.plane, x.data(), g.data(), accumulate, found.data());
          plain.relu_gradient(x.plane, x.data(), g.data(), accumulate, expected.data());
          expect_alike(true, found.floats(), expected.floats());
        }
        kernels.add(x.plane, g.data(), g.data(), found.data());
        plain.add(x.plane, g.data(), g.data(), expected.data());
        expect_alike(true, found.floats(), expected.floats());
      });
}

TEST(Kernels, PoolLikeTheReference) {
  const Kernels& plain = reference_kernels();
  for (const Kernels* kernels : vector_kernels()) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
      SCOPED_TRACE(fmt::format("{}, seed {}", kernels->name, seed));
      RandomStream stream(seed, "pools");
      const auto between = [&](std::uint64_t low, std::uint64_t high) {
        return static_cast<std::int64_t>(low + stream.below(high - low + 1));
      };
      Window window{between(1, 4), between(1, 4), between(1, 3), 0};
      window.padding = static_cast<std::int64_t>(
          stream.below(static_cast<std::uint64_t>(std::min(window.height, window.width))));
      const std::int64_t height = window.height + between(0, 5);
      const std::int64_t width = window.width + between(0, 5);
      const std::int64_t rows = (height + 2 * window.padding - window.height) / window.stride + 1;
      const std::int64_t columns = (width + 2 * window.padding - window.width) / window.stride + 1;
      const PoolPlane plane{
          height, width, (width + 1) * kLanes, rows, columns, (columns + 1) * kLanes, window};
      Sample x(height, width, stream);
      if (seed % 3 == 0) {
        x.memory[1].lanes[2] = std::numeric_limits<float>::quiet_NaN();
      }
      Sample y(rows, columns, stream);
      Sample expected = y;
      Sample to(height, width, stream);
      Sample to_expected = to;
      kernels->max_pool(plane, x.data(), y.data());
      plain.max_pool(plane, x.data(), expected.data());
      expect_alike(true, y.floats(), expected.floats());
      kernels->max_pool_gradient(plane, x.data(), y.data(), to.data());
      plain.max_pool_gradient(plane, x.data(), y.data(), to_expected.data());
      // A NaN in a sum may come with either sign: compare what is a number.
      for (Sample* sample : {&to, &to_expected}) {
        for (Position& position : sample->memory) {
          for (float& value : position.lanes) {
            value = std::isnan(value) ? 77.0F : value;
          }
        }
      }
      expect_alike(true, to.floats(), to_expected.floats());
      Sample numbers(height, width, stream);
      kernels->average_pool(plane, numbers.data(), y.data());
      plain.average_pool(plane, numbers.data(), expected.data());
      expect_alike(true, y.floats(), expected.floats());
      kernels->average_pool_gradient(plane, y.data(), to.data());
      plain.average_pool_gradient(plane, y.data(), to_expected.data());
      expect_alike(true, to.floats(), to_expected.floats());
    }
  }
}

}  // namespace
}  // namespace gcg::sparse
