#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "backend/conformance.h"
#include "backend/random_cases.h"
#include "base/random.h"
#include "graph/networks.h"
#include "sparse/kernels.h"
#include "sparse/plan.h"
#include "sparse/sparse_executor.h"
#include "sparse/training.h"

namespace gcg::sparse {
namespace {

std::vector<const Kernels*> all_kernels() {
  std::vector<const Kernels*> all = vector_kernels();
  all.push_back(&reference_kernels());
  return all;
}

/// A plane with a gap behind every row.
struct Sample {
  Plane plane;
  Tensor memory;

  Sample(std::int64_t height, std::int64_t width, const std::function<float()>& number)
      : plane{height, width * kLanes, (width + 1) * kLanes, 0},
        memory(static_cast<std::size_t>(height * (width + 1))) {
    for (Position& position : memory) {
      std::ranges::generate(position.lanes, number);
    }
  }
  float* data() { return memory.data()->lanes.data(); }
  std::vector<std::uint32_t> bits() const {
    std::vector<std::uint32_t> all;
    for (const Position& position : memory) {
      for (const float value : position.lanes) {
        all.push_back(std::bit_cast<std::uint32_t>(value));
      }
    }
    return all;
  }
};

/// Two bf16 in a float, both with seven bits behind the point, or as many as they have.
float pair_of(float even, float odd) {
  const auto upper = [](float value) { return std::bit_cast<std::uint32_t>(value) >> 16; };
  return std::bit_cast<float>(upper(odd) << 16 | upper(even));
}

struct Numbers {
  RandomStream stream;
  float number() { return static_cast<float>(stream.normal()); }
  float pair() {
    const float even = number();
    return pair_of(stream.below(7) == 0 ? 0.0F : even, number());
  }
  std::function<float()> floats() {
    return [this] { return number(); };
  }
  std::function<float()> pairs() {
    return [this] { return pair(); };
  }
  Position lanes() {
    Position lanes;
    const std::size_t samples = 1 + static_cast<std::size_t>(stream.below(16));
    for (std::size_t l = 0; l < samples; ++l) {
      lanes.lanes[l] = std::bit_cast<float>(~std::uint32_t{0});
    }
    return lanes;
  }
};

/// Every instruction set, on planes of all widths that leave other remainders.
template <typename F>
void for_each_plane(F f) {
  for (const Kernels* kernels : vector_kernels()) {
    for (std::int64_t height = 1; height <= 3; ++height) {
      for (std::int64_t width = 1; width <= 5; ++width) {
        SCOPED_TRACE(fmt::format("{}, {}x{}", kernels->name, height, width));
        Numbers numbers{RandomStream(1, "bf16", static_cast<std::uint64_t>(10 * height + width))};
        f(*kernels, height, width, numbers);
      }
    }
  }
}

/// Without a fused multiply-add a result may be rounded to the neighbour.
void expect_alike(const Kernels& kernels, const Sample& found, const Sample& expected) {
  if (kernels.fused) {
    EXPECT_EQ(found.bits(), expected.bits());
    return;
  }
  for (std::size_t p = 0; p < found.memory.size(); ++p) {
    for (std::size_t l = 0; l < kLanes; ++l) {
      const auto value = [&](const Sample& sample) {
        return static_cast<double>(sample.memory[p].lanes[l]);
      };
      ASSERT_NEAR(value(found), value(expected), 0.01 * (1 + std::abs(value(expected))));
    }
  }
}

TEST(Bf16, RoundsToTheNearestAndTiesToEven) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<std::pair<std::uint32_t, std::uint32_t>> cases{
      {0x3f800000, 0x3f80},  // 1
      {0x3f807fff, 0x3f80},  // below the middle
      {0x3f808000, 0x3f80},  // the middle, even below
      {0x3f808001, 0x3f81},  // above it
      {0x3f818000, 0x3f82},  // the middle, even above
      {0xbf818000, 0xbf82},
      {0x80000000, 0x8000},  // -0
      {0x00008001, 0x0001},  // below the normal numbers
      {0x7f7fffff, 0x7f80},  // the largest number is nearest to infinity
      {std::bit_cast<std::uint32_t>(infinity), 0x7f80},
      {std::bit_cast<std::uint32_t>(-infinity), 0xff80},
      {0x7f800001, 0x7fc0},  // a NaN stays one, though its upper bits are those of infinity,
      {0x7fffffff, 0x7fff},  // or the addition would carry
      {0xffffffff, 0xffff},
  };
  for (const Kernels* kernels : all_kernels()) {
    SCOPED_TRACE(kernels->name);
    for (const auto& [bits, expected] : cases) {
      Sample value(1, 1, [b = bits] { return std::bit_cast<float>(b); });
      Sample one(1, 1, [] { return 1.0F; });
      Sample pairs(1, 1, [] { return 0.0F; });
      kernels->compress_bf16(value.plane, value.data(), one.data(), false, pairs.data());
      EXPECT_EQ(pairs.bits()[0], 0x3f800000U | expected) << fmt::format("{:x}", bits);
      kernels->compress_bf16(value.plane, one.data(), value.data(), false, pairs.data());
      EXPECT_EQ(pairs.bits()[15], expected << 16 | 0x3f80U) << fmt::format("{:x}", bits);
    }
  }
}

TEST(Bf16, ExpandsEveryNumberToItself) {
  for (const Kernels* kernels : all_kernels()) {
    SCOPED_TRACE(kernels->name);
    for (std::uint32_t bits = 0; bits < 0x10000; bits += 7) {
      const float wide = std::bit_cast<float>(bits << 16);
      if (std::isnan(wide)) {
        continue;
      }
      Sample pairs(1, 1, [&] { return std::bit_cast<float>(bits << 16 | 0x3f80U); });
      Sample even(1, 1, [] { return 0.0F; });
      Sample odd(1, 1, [] { return 0.0F; });
      kernels->expand_bf16(pairs.plane, pairs.data(), even.data(), odd.data());
      ASSERT_EQ(even.data()[3], 1.0F);
      ASSERT_EQ(std::bit_cast<std::uint32_t>(odd.data()[3]), bits << 16);
      Sample again(1, 1, [] { return 0.0F; });
      kernels->compress_bf16(pairs.plane, even.data(), odd.data(), false, again.data());
      ASSERT_EQ(again.bits()[3], pairs.bits()[3]);
    }
  }
}

TEST(Bf16, IsExpandedAndCompressedLikeTheReference) {
  const Kernels& plain = reference_kernels();
  for_each_plane(
      [&](const Kernels& kernels, std::int64_t height, std::int64_t width, Numbers& numbers) {
        Sample even(height, width, numbers.floats());
        Sample odd(height, width, numbers.floats());
        for (const bool accumulate : {false, true}) {
          Sample found(height, width, numbers.pairs());
          Sample expected = found;
          kernels.compress_bf16(even.plane, even.data(), odd.data(), accumulate, found.data());
          plain.compress_bf16(even.plane, even.data(), odd.data(), accumulate, expected.data());
          EXPECT_EQ(found.bits(), expected.bits());
        }
        Sample pairs(height, width, numbers.pairs());
        Sample even_expected = even;
        Sample odd_expected = odd;
        kernels.expand_bf16(pairs.plane, pairs.data(), even.data(), odd.data());
        plain.expand_bf16(pairs.plane, pairs.data(), even_expected.data(), odd_expected.data());
        EXPECT_EQ(even.bits(), even_expected.bits());
        EXPECT_EQ(odd.bits(), odd_expected.bits());
        Sample other(height, width, numbers.pairs());
        Sample sum(height, width, numbers.pairs());
        Sample sum_expected = sum;
        kernels.add_bf16(pairs.plane, pairs.data(), other.data(), sum.data());
        plain.add_bf16(pairs.plane, pairs.data(), other.data(), sum_expected.data());
        EXPECT_EQ(sum.bits(), sum_expected.bits());
      });
}

TEST(Bf16, IsNormalisedLikeTheReference) {
  const Kernels& plain = reference_kernels();
  const std::array<ChannelNorm, 2> norms{{{0.2F, 1.3F, -0.1F}, {-0.4F, -0.7F, 0.3F}}};
  for_each_plane(
      [&](const Kernels& kernels, std::int64_t height, std::int64_t width, Numbers& numbers) {
        for (int form = 0; form < 8; ++form) {
          const bool relu = form % 2 == 1;
          const bool addition = form / 2 % 2 == 1;
          const bool in_pairs = form / 4 == 1;
          Sample x(height, width, numbers.pairs());
          Sample other(height, width, numbers.pairs());
          Sample even(height, width, numbers.floats());
          Sample odd(height, width, numbers.floats());
          Sample even_expected = even;
          Sample odd_expected = odd;
          const Position lanes = numbers.lanes();
          const auto normalise = [&](const Kernels& set, Sample& first, Sample& second) {
            const TwoPlanes to = in_pairs ? TwoPlanes{nullptr, nullptr, first.data()}
                                          : TwoPlanes{first.data(), second.data(), nullptr};
            set.normalise_bf16(x.plane, norms.data(), x.data(), addition ? other.data() : nullptr,
                               relu, lanes.lanes.data(), to);
          };
          normalise(kernels, even, odd);
          normalise(plain, even_expected, odd_expected);
          expect_alike(kernels, even, even_expected);
          expect_alike(kernels, odd, odd_expected);
        }
      });
}

TEST(Bf16, IsDifferentiatedLikeTheReference) {
  const Kernels& plain = reference_kernels();
  for_each_plane([&](const Kernels& kernels, std::int64_t height, std::int64_t width,
                     Numbers& numbers) {
    for (int form = 0; form < 4; ++form) {
      const bool relu = form % 2 == 1;
      const bool addition = form / 2 == 1;
      const bool behind = relu && !addition;
      const std::array<ChannelNormGradient, 2> norms{
          {{{0.2F, 1.3F, -0.1F}, behind, 0.7F, -0.4F}, {{-0.4F, -0.7F, 0.3F}, behind, 0.1F, 0.2F}}};
      Sample x(height, width, numbers.pairs());
      Sample y(height, width, numbers.pairs());
      Sample g(height, width, numbers.pairs());
      Sample g_expected = g;
      const Position lanes = numbers.lanes();
      const float* output = relu && addition ? y.data() : nullptr;
      std::array<GradientSums, 2> sums;
      std::array<GradientSums, 2> expected;
      kernels.norm_gradient_sums_bf16(x.plane, norms.data(), x.data(), output, g.data(),
                                      sums.data());
      plain.norm_gradient_sums_bf16(x.plane, norms.data(), x.data(), output, g_expected.data(),
                                    expected.data());
      EXPECT_EQ(g.bits(), g_expected.bits());
      for (std::size_t c = 0; c < 2; ++c) {
        const double tolerance = kernels.fused ? 0 : 1e-3;
        EXPECT_NEAR(sums[c].gradient, expected[c].gradient, tolerance);
        EXPECT_NEAR(sums[c].centred, expected[c].centred, tolerance);
      }
      for (int target = 0; target < 3; ++target) {
        Sample even(height, width, numbers.pairs());
        Sample odd(height, width, numbers.pairs());
        Sample even_expected = even;
        Sample odd_expected = odd;
        const auto differentiate = [&](const Kernels& set, Sample& first, Sample& second) {
          const TwoPlanes to = target > 0 ? TwoPlanes{nullptr, nullptr, first.data()}
                                          : TwoPlanes{first.data(), second.data(), nullptr};
          set.norm_gradient_bf16(x.plane, norms.data(), x.data(), g.data(), lanes.lanes.data(),
                                 target > 1, to);
        };
        differentiate(kernels, even, odd);
        differentiate(plain, even_expected, odd_expected);
        expect_alike(kernels, even, even_expected);
        expect_alike(kernels, odd, odd_expected);
      }
    }
  });
}

/// What the kernels for one channel make of both, one after the other.
TEST(Bf16, SumsTwoChannelsAsTheKernelsForOneChannelDo) {
  Numbers numbers{RandomStream(3, "bf16")};
  const Kernels& plain = reference_kernels();
  const std::array<ChannelNormGradient, 2> norms{
      {{{0.2F, 1.3F, -0.1F}, true, 0.7F, -0.4F}, {{-0.4F, -0.7F, 0.3F}, true, 0.1F, 0.2F}}};
  Sample x(3, 5, numbers.pairs());
  Sample g(3, 5, numbers.pairs());
  std::array<GradientSums, 2> sums;
  plain.norm_gradient_sums_bf16(x.plane, norms.data(), x.data(), nullptr, g.data(), sums.data());
  std::array<Sample, 2> wide_x{x, x};
  std::array<Sample, 2> wide_g{g, g};
  plain.expand_bf16(x.plane, x.data(), wide_x[0].data(), wide_x[1].data());
  plain.expand_bf16(g.plane, g.data(), wide_g[0].data(), wide_g[1].data());
  for (std::size_t c = 0; c < 2; ++c) {
    const GradientSums one =
        plain.norm_gradient_sums(x.plane, norms[c], wide_x[c].data(), nullptr, wide_g[c].data());
    EXPECT_EQ(sums[c].gradient, one.gradient);
    EXPECT_EQ(sums[c].centred, one.centred);
  }
}

TEST(Bf16Plan, HalvesWhatIsKeptForTheBatch) {
  for (const char* name : {"resnet20", "vgg16", "resnet18_small"}) {
    const Network network = build_network(name, {{3, 32, 32}, 10, 0});
    const auto bytes = [&](Precision precision) {
      return static_cast<double>(batch_bytes(make_plan(network, precision), 128));
    };
    const double ratio = bytes(Precision::bf16) / bytes(Precision::fp32);
    EXPECT_LE(ratio, 0.55) << name;
    EXPECT_GE(ratio, 0.5) << name;
  }
}

TEST(Bf16Plan, KeepsImagesAndVectorsInSinglePrecision) {
  for (const Network& network : all_small_networks()) {
    SCOPED_TRACE(network.name);
    const Plan plan = make_plan(network, Precision::bf16);
    EXPECT_FALSE(plan.buffers[static_cast<std::size_t>(plan.value[0].index)].bf16);
    for (std::size_t n = 0; n < network.nodes.size(); ++n) {
      for (const Room& room : {plan.value[n], plan.gradient[n]}) {
        if (room.kind == Room::Kind::batch && network.nodes[n].shape.positions() == 1) {
          EXPECT_FALSE(plan.buffers[static_cast<std::size_t>(room.index)].bf16);
        }
      }
    }
  }
}

TEST(Bf16Executor, GivesTheSameBitsForAnyNumberOfThreads) {
  for (const Network& network : all_small_networks()) {
    SCOPED_TRACE(network.name);
    const TrainingState one = trained(*make_sparse_executor(network, 1, Precision::bf16));
    for (const std::int64_t threads : {2, 3, 16}) {
      SCOPED_TRACE(threads);
      EXPECT_EQ(trained(*make_sparse_executor(network, threads, Precision::bf16)), one);
    }
  }
}

TEST(Bf16Executor, GivesTheSameBitsForAnyWidthOfVectorsWithFusedMultiplyAdd) {
  for (const Network& network : all_small_networks()) {
    const TrainingState expected =
        trained(*make_sparse_executor(network, 2, reference_kernels(), Precision::bf16));
    for (const Kernels* kernels : vector_kernels()) {
      if (kernels->fused) {
        SCOPED_TRACE(fmt::format("{}, {}", network.name, kernels->name));
        EXPECT_EQ(trained(*make_sparse_executor(network, 2, *kernels, Precision::bf16)), expected);
      }
    }
  }
}

TEST(Bf16Executor, TrainsToThePinnedBits) {
  const Network network = build_network("resnet8", {{3, 12, 12}, 10, 4});
  const TrainingState state =
      trained(*make_sparse_executor(network, 1, reference_kernels(), Precision::bf16));
  EXPECT_EQ(digest_of_weights(state), "9bc22ffdf452");
}

/// Without a ReLU, whose switching makes any rounding large, and with both kinds of weight
/// gradient.
Network smooth_network() {
  NetworkBuilder net("smooth", {3, 12, 12});
  const std::int32_t first = net.batch_norm("norm1", net.convolution("conv1", 0, 6, {3, 3, 1, 1}));
  const std::int32_t second =
      net.batch_norm("norm2", net.convolution("conv2", first, 6, {3, 3, 1, 1}));
  const std::int32_t sum = net.add("add", second, first);
  const std::int32_t pool = net.average_pool("pool", sum, {2, 2, 2, 0});
  const std::int32_t odd = net.batch_norm("norm3", net.convolution("conv3", pool, 7, {3, 3, 2, 1}));
  const std::int32_t last = net.convolution("conv4", odd, 9, {3, 3, 1, 1});
  net.linear("classifier", net.flatten("flatten", net.global_average_pool("mean", last)), 10);
  return net.finish();
}

/// A bf16 has eight digits: its rounding moves it by 1/1000 on average.
constexpr double kTolerance = 0.01;

TEST(Bf16Executor, DiffersFromSinglePrecisionByRoundingAlone) {
  const Network network = smooth_network();
  const OwnedBatch batch = random_batch(network, 128, 6);
  for (const double density : {0.3, 0.5, 1.0}) {
    SCOPED_TRACE(density);
    const auto half = make_sparse_executor(network, 2, Precision::bf16);
    const auto single = make_sparse_executor(network, 2);
    const TrainingState state = random_state(network, density, 5);
    half->write(state);
    single->write(state);
    for (int i = 0; i < 3; ++i) {
      const double loss = single->forward_backward(batch).loss;
      EXPECT_NEAR(half->forward_backward(batch).loss, loss, kTolerance * loss);
      const double apart = distance(half->gradients().weights, single->gradients().weights);
      EXPECT_LT(apart, kTolerance);
      EXPECT_GT(apart, 1e-5) << "nothing was in bf16";
      half->step(sgd_step());
      single->step(sgd_step());
    }
    EXPECT_LT(distance(half->read().values.weights, single->read().values.weights), kTolerance);
    const double loss = single->evaluate(batch, {}).loss;
    EXPECT_NEAR(half->evaluate(batch, {}).loss, loss, kTolerance * loss);
    const TrainingState before = half->read();
    EXPECT_LT(distance(half->dense_gradients(batch), single->dense_gradients(batch)), kTolerance);
    EXPECT_EQ(half->read(), before);
  }
}

/// The contract of executors, but for the cases that hold an executor against the reference in
/// single precision: what takes their place is above.
class Bf16Conformance : public ::testing::TestWithParam<ConformanceCase> {};

TEST_P(Bf16Conformance, Holds) {
  GetParam().check(
      [](const Network& network) { return make_sparse_executor(network, 3, Precision::bf16); },
      all_small_networks());
}

INSTANTIATE_TEST_SUITE_P(Executor, Bf16Conformance,
                         ::testing::ValuesIn(conformance_cases_of_any_precision()),
                         [](const auto& row) { return std::string(row.param.name); });

INSTANTIATE_TEST_SUITE_P(Ranks, Bf16Conformance,
                         ::testing::ValuesIn(rank_cases_of_any_precision().begin(),
                                             rank_cases_of_any_precision().end()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace gcg::sparse
