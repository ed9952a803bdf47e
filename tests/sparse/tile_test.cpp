// Convolutions by tiles: the arithmetic of the processor's instruction in plain C++ and in vectors,
// the loops over tiles against those over present weights, and training by them.
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
#include "base/hash.h"
#include "base/host.h"
#include "base/random.h"
#include "graph/networks.h"
#include "sparse/execution.h"
#include "sparse/kernels.h"
#include "sparse/sparse_executor.h"
#include "sparse/tile_convolve.h"

namespace gcg::sparse {
namespace {

using Tile = std::array<Position, kTileSide>;

float* data(Tile& tile) { return tile.front().lanes.data(); }
const float* data(const Tile& tile) { return tile.front().lanes.data(); }
std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }
std::uint32_t bits_at(const Tile& tile, std::int64_t row, std::int64_t column) {
  return bits_of(data(tile)[row * kTileSide + column]);
}
std::vector<std::uint32_t> bits_of(const Tile& tile) {
  std::vector<std::uint32_t> bits;
  std::transform(data(tile), data(tile) + kTileFloats, std::back_inserter(bits),
                 [](float value) { return bits_of(value); });
  return bits;
}

float pair_of(float even, float odd) {
  return std::bit_cast<float>((bits_of(odd) & 0xffff0000U) | bits_of(even) >> 16);
}

Tile tile_of(const std::function<float()>& number) {
  Tile tile;
  std::generate_n(data(tile), kTileFloats, number);
  return tile;
}

/// c += a b for tiles whose only words are a[0][k] = left[k] and b[k][0] = right[k].
float product(const Kernels& kernels, const std::vector<float>& left,
              const std::vector<float>& right, float c) {
  Tile a{};
  Tile b{};
  Tile to{};
  for (std::size_t k = 0; k < left.size(); ++k) {
    a[0].lanes[k] = left[k];
    b[k].lanes[0] = right[k];
  }
  to[0].lanes[0] = c;
  kernels.multiply_tiles(kTileSide, data(a), data(b), data(to));
  return to[0].lanes[0];
}

std::vector<const Kernels*> all_kernels() {
  std::vector<const Kernels*> all = vector_kernels();
  all.push_back(&reference_kernels());
  return all;
}

TEST(TileArithmetic, SumsLowerAndUpperHalvesApartAndAddsBothToTheTileAtLast) {
  const float big = 16777216;  // 2^24: to it a single precision can add 2, but not 1
  for (const Kernels* kernels : all_kernels()) {
    SCOPED_TRACE(kernels->name);
    // 2^24 + 1 + 1 in one sum keeps neither 1; in two sums, one of 2 is added.
    EXPECT_EQ(
        product(*kernels, {pair_of(1, 1), pair_of(0, 1)}, {pair_of(big, 1), pair_of(0, 1)}, 0),
        big + 2);
    EXPECT_EQ(product(*kernels, {pair_of(1, 0), pair_of(1, 0), pair_of(1, 0)},
                      {pair_of(big, 0), pair_of(1, 0), pair_of(1, 0)}, 0),
              big);
    // Products are added to one another before they meet what is there.
    EXPECT_EQ(product(*kernels, {pair_of(1, 1)}, {pair_of(1, 1)}, big), big + 2);
    // 3 is between 2^24 + 2 and 2^24 + 4: the even one is taken.
    EXPECT_EQ(product(*kernels, {pair_of(3, 0)}, {pair_of(1, 0)}, big), big + 4);
    EXPECT_EQ(product(*kernels, {pair_of(1, 0)}, {pair_of(1, 0)}, big), big);
  }
}

TEST(TileArithmetic, TakesForZeroWhatIsBelowTheNormalNumbers) {
  const float least = std::numeric_limits<float>::min();
  const float below = std::bit_cast<float>(0x00400000U);  // half of it, exact in bf16
  const float tiny = std::bit_cast<float>(0x20000000U);   // about 1e-19
  for (const Kernels* kernels : all_kernels()) {
    SCOPED_TRACE(kernels->name);
    EXPECT_EQ(product(*kernels, {pair_of(below, 0)}, {pair_of(1024, 0)}, 0), 0);
    EXPECT_EQ(product(*kernels, {pair_of(1024, 0)}, {pair_of(0, below)}, 1), 1);
    EXPECT_EQ(product(*kernels, {pair_of(least, 0)}, {pair_of(0.5F, 0)}, 0), 0);
    EXPECT_EQ(bits_of(product(*kernels, {pair_of(-tiny, 0)}, {pair_of(tiny * tiny, 0)}, 0)), 0U);
    // Half of the least number twice: each is a zero before they are added.
    EXPECT_EQ(product(*kernels, {pair_of(least, least)}, {pair_of(0.5F, 0.5F)}, 0), 0);
    EXPECT_EQ(product(*kernels, {pair_of(1, 0)}, {pair_of(least, 0)}, below), least);
    EXPECT_EQ(bits_of(product(*kernels, {0.0F}, {0.0F}, -below)), 0U);
  }
}

TEST(TileArithmetic, KeepsWhatIsNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Kernels* kernels : all_kernels()) {
    SCOPED_TRACE(kernels->name);
    EXPECT_EQ(product(*kernels, {pair_of(infinity, 0)}, {pair_of(2, 0)}, 1), infinity);
    EXPECT_TRUE(std::isnan(product(*kernels, {pair_of(infinity, 0)}, {pair_of(0, 0)}, 1)));
    EXPECT_TRUE(std::isnan(product(*kernels, {pair_of(0, nan)}, {pair_of(0, 1)}, 1)));
    EXPECT_TRUE(std::isnan(product(*kernels, {pair_of(1, 0)}, {pair_of(1, 0)}, nan)));
  }
}

TEST(TileArithmetic, GivesTheBitsOfTheReferenceInEveryVectorWithFusedMultiplyAdd) {
  RandomStream stream(1, "tiles");
  for (int i = 0; i < 20; ++i) {
    // Of all sizes, so that some products and sums fall below the normal numbers.
    const int span = i % 2 == 0 ? 4 : 120;
    const auto number = [&] {
      return static_cast<float>(
          std::ldexp(stream.normal(),
                     static_cast<int>(stream.below(static_cast<std::uint64_t>(span))) - span / 2));
    };
    const auto pair = [&] { return pair_of(number(), number()); };
    const Tile a = tile_of(pair);
    const Tile b = tile_of(pair);
    const Tile start = tile_of(number);
    const std::int64_t depth = 1 + static_cast<std::int64_t>(stream.below(kTileSide));
    Tile expected = start;
    reference_kernels().multiply_tiles(depth, data(a), data(b), data(expected));
    for (const Kernels* kernels : vector_kernels()) {
      SCOPED_TRACE(fmt::format("{}, case {}, depth {}", kernels->name, i, depth));
      Tile found = start;
      kernels->multiply_tiles(depth, data(a), data(b), data(found));
      if (kernels->fused) {
        EXPECT_EQ(bits_of(found), bits_of(expected));
      }
    }
  }
}

TEST(TileArithmetic, PairsPositionsAndTransposesLikeTheReference) {
  RandomStream stream(2, "tiles");
  const Tile words = tile_of([&] { return static_cast<float>(stream.normal()); });
  for (const Kernels* kernels : all_kernels()) {
    SCOPED_TRACE(kernels->name);
    Tile turned;
    kernels->transpose_tile(data(words), data(turned));
    Position even;
    Position odd;
    kernels->pair_positions(data(words), data(words) + kTileSide, even.lanes.data(),
                            odd.lanes.data());
    for (std::int64_t i = 0; i < kTileSide; ++i) {
      const std::uint32_t first = bits_at(words, 0, i);
      const std::uint32_t second = bits_at(words, 1, i);
      EXPECT_EQ(bits_of(even.lanes[static_cast<std::size_t>(i)]),
                (second << 16) + (first & 0xffffU));
      EXPECT_EQ(bits_of(odd.lanes[static_cast<std::size_t>(i)]),
                (second & 0xffff0000U) + (first >> 16));
      for (std::int64_t k = 0; k < kTileSide; ++k) {
        EXPECT_EQ(bits_at(turned, i, k), bits_at(words, k, i));
      }
    }
  }
}

/// A convolution whose weights and tensors are exact in bf16, so that present weights in single
/// precision and tiles add up the same products in another order.
struct Case {
  Shape input;
  std::int64_t outputs = 1;
  Window window;
  double density = 0.5;
  std::int64_t samples = 16;
};

std::vector<Case> adversarial_cases() {
  return {
      {{16, 8, 8}, 16, {3, 3, 1, 1}, 0.3, 32},   {{32, 8, 8}, 64, {3, 3, 2, 1}, 0.1, 16},
      {{70, 5, 5}, 40, {3, 3, 1, 1}, 0.2, 17},   {{34, 6, 7}, 34, {1, 1, 1, 0}, 0.5, 16},
      {{4, 9, 8}, 6, {1, 1, 2, 0}, 0.4, 19},     {{3, 10, 11}, 4, {2, 2, 3, 0}, 0.6, 3},
      {{2, 2, 2}, 3, {1, 1, 4, 0}, 1.0, 3},      {{3, 5, 4}, 7, {5, 4, 1, 0}, 0.5, 40},
      {{2, 4, 3}, 3, {2, 3, 2, 4}, 0.7, 5},      {{3, 6, 7}, 4, {1, 3, 1, 1}, 0.5, 2},
      {{3, 12, 13}, 5, {7, 7, 2, 3}, 0.5, 5},    {{3, 6, 5}, 4, {3, 3, 1, 1}, 0.0, 7},
      {{5, 7, 17}, 6, {3, 3, 1, 1}, 1.0, 1},     {{1, 3, 1}, 1, {1, 1, 1, 0}, 1.0, 1},
      {{66, 4, 4}, 130, {3, 3, 1, 1}, 0.05, 16},
  };
}

Case random_case(std::uint64_t seed) {
  RandomStream stream(seed, "tile-layer");
  const auto between = [&](std::uint64_t low, std::uint64_t high) {
    return static_cast<std::int64_t>(low + stream.below(high - low + 1));
  };
  Case c;
  c.window = {between(1, 5), between(1, 5), between(1, 3), between(0, 3)};
  const std::int64_t least = 2 * c.window.padding;
  c.input = {between(1, 40), std::max<std::int64_t>(1, c.window.height - least) + between(0, 9),
             std::max<std::int64_t>(1, c.window.width - least) + between(0, 9)};
  c.outputs = between(1, 40);
  c.density = stream.uniform();
  c.samples = between(1, 35);
  return c;
}

std::int64_t extent(std::int64_t size, std::int64_t taps, const Window& window) {
  return (size + 2 * window.padding - taps) / window.stride + 1;
}

/// A tensor of the batch in single precision and in bf16, of numbers that are both.
struct Both {
  Layout layout;
  Tensor floats;
  Tensor pairs;

  Both(const Layout& place, const Run& run, RandomStream& stream)
      : layout(place),
        floats(static_cast<std::size_t>(run.blocks * place.block())),
        pairs(static_cast<std::size_t>(run.blocks * place.pair_block())) {
    for (std::int64_t b = 0; b < run.blocks; ++b) {
      for (std::int64_t c = 0; c < place.shape.channels; ++c) {
        for (std::int64_t i = 0; i < place.shape.positions(); ++i) {
          float* const to = single().at(b, c, i / place.shape.width, i % place.shape.width);
          for (std::int64_t lane = 0; lane < kLanes && b * kLanes + lane < run.samples; ++lane) {
            to[lane] =
                std::bit_cast<float>(bits_of(static_cast<float>(stream.normal())) & 0xffff0000U);
          }
        }
      }
      compress(run, b, all_rows(place), single(), false, half());
    }
  }
  View single() { return {layout, floats.data()->lanes.data()}; }
  View half() { return {layout, pairs.data()->lanes.data(), false, true}; }
};

/// All that a layer computes.
struct Result {
  std::vector<float> output;
  std::vector<float> input_gradient;
  std::vector<float> weight;
  std::vector<float> all_weights;
  bool operator==(const Result&) const = default;
};

void append(const View& from, std::int64_t block, std::vector<float>& to) {
  for (std::int64_t c = 0; c < from.layout.shape.channels; ++c) {
    for (std::int64_t y = from.top; y < from.layout.shape.height; ++y) {
      const float* const row = from.at(block, c, y);
      to.insert(to.end(), row, row + from.layout.shape.width * kLanes);
    }
  }
}

class Convolution {
 public:
  explicit Convolution(const Case& c) : run_(fastest_kernels(), 1, c.samples) {
    RandomStream stream(7, "tile-values");
    const Shape output{c.outputs, extent(c.input.height, c.window.height, c.window),
                       extent(c.input.width, c.window.width, c.window)};
    layer_.place.layer = {"layer", 1, c.outputs, c.input.channels, c.window.height, c.window.width};
    layer_.place.window = c.window;
    layer_.place.input = {c.input, input_halo(c.window)};
    layer_.place.output = {output, gradient_halo(c.window, c.input, output)};
    LayerMask mask(layer_.place.layer.connections());
    std::vector<float> dense;
    for (std::int64_t i = 0; i < mask.size(); ++i) {
      dense.push_back(0.0F);
      if (stream.uniform() < c.density) {
        mask.set(i);
        dense.back() =
            std::bit_cast<float>(bits_of(static_cast<float>(stream.normal())) & 0xffff0000U);
      }
    }
    layer_.write_as(SparseLayer::Form::tiles, mask, dense);
    index_.place = layer_.place;
    index_.write_as(SparseLayer::Form::index, mask, dense);
    index_.all = all_index(layer_.place, false);
    input_ = std::make_unique<Both>(layer_.place.input, run_, stream);
    gradient_ = std::make_unique<Both>(layer_.place.output, run_, stream);
  }

  /// By present weights in single precision.
  Result by_index() {
    Result r;
    std::vector<float> by_input(index_.by_input_count());
    index_.order_by_input(by_input);
    Both output(layer_.place.output, run_, unused_);
    Both to(layer_.place.input, run_, unused_);
    convolve(run_, all(), all_rows(output.layout), index_, input_->single(), output.single());
    convolve_input_gradient(run_, all(), all_rows(to.layout), index_, by_input, gradient_->single(),
                            false, to.single());
    for (std::int64_t b = 0; b < run_.blocks; ++b) {
      append(output.single(), b, r.output);
      append(to.single(), b, r.input_gradient);
    }
    for (const Weights which : {Weights::present, Weights::all}) {
      std::vector<float>& sums = which == Weights::all ? r.all_weights : r.weight;
      sums.resize(static_cast<std::size_t>(weight_count(index_, which)));
      Tensor lanes(static_cast<std::size_t>(lane_count(layer_.place.layer)));
      convolve_weight_gradient(run_, all(), all_rows(output.layout), index_, which,
                               {0, layer_.place.layer.outputs}, input_->single(),
                               gradient_->single(), lanes, sums);
    }
    return r;
  }

  /// In stripes of `rows` rows.
  Result by_tiles(const TileKernels& tiles, const Kernels& kernels, std::int64_t rows) {
    const Run run(kernels, 1, run_.samples);
    Result r;
    std::vector<float> sums(static_cast<std::size_t>(tile_sum_count(layer_.place.layer)));
    Tensor room(static_cast<std::size_t>(tile_room(layer_.place)));
    for (std::int64_t b = 0; b < run.blocks; ++b) {
      const auto in_stripes = [&](const Layout& layout, std::vector<float>* to, auto f) {
        Layout padded = layout;
        padded.shape.channels = tile_count(layout.shape.channels) * kTileSide;
        Tensor memory(static_cast<std::size_t>(padded.block()));
        const View made{layout, memory.data()->lanes.data(), true};
        for (std::int64_t top = 0; top < layout.shape.height; top += rows) {
          f(Stripe{top, std::min(top + rows, layout.shape.height)}, made);
        }
        if (to != nullptr) {
          append(made, 0, *to);
        }
      };
      in_stripes(layer_.place.output, &r.output, [&](Stripe stripe, const View& to) {
        convolve_tiles(run, tiles, b, stripe, layer_, input_->half(), to);
      });
      in_stripes(layer_.place.input, &r.input_gradient, [&](Stripe stripe, const View& to) {
        input_gradient_tiles(run, tiles, b, stripe, layer_, gradient_->half(), to);
      });
      in_stripes(layer_.place.output, nullptr, [&](Stripe stripe, const View&) {
        weight_gradient_tiles(run, tiles, b, stripe, layer_, input_->half(), gradient_->half(),
                              room, sums);
      });
    }
    r.weight.resize(layer_.weight.value.size());
    present_sums(*layer_.tiles, sums, r.weight);
    r.all_weights.resize(static_cast<std::size_t>(layer_.place.layer.connections()));
    all_sums(layer_.place.layer, sums, r.all_weights);
    return r;
  }

 private:
  [[nodiscard]] Blocks all() const { return {0, run_.blocks}; }

  Run run_;
  SparseLayer layer_;
  SparseLayer index_;
  RandomStream unused_{8, "tile-values"};
  std::unique_ptr<Both> input_;
  std::unique_ptr<Both> gradient_;
};

void expect_near(const std::vector<float>& found, const std::vector<float>& expected,
                 const char* what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  float largest = 0;
  for (const float value : expected) {
    largest = std::max(largest, std::abs(value));
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(found[i], expected[i], 1e-5F * largest) << what << ", element " << i;
  }
}

void check(const Case& c) {
  SCOPED_TRACE(
      fmt::format("{}x{}x{}, {} outputs, {}x{} stride {} padding {}, density {}, {} samples",
                  c.input.channels, c.input.height, c.input.width, c.outputs, c.window.height,
                  c.window.width, c.window.stride, c.window.padding, c.density, c.samples));
  Convolution layer(c);
  const Result expected = layer.by_index();
  const Result plain = layer.by_tiles(plain_tiles(), fastest_kernels(), 1000);
  expect_near(plain.output, expected.output, "output");
  expect_near(plain.input_gradient, expected.input_gradient, "input gradient");
  expect_near(plain.weight, expected.weight, "weight gradient");
  expect_near(plain.all_weights, expected.all_weights, "weight gradient of all");
  EXPECT_EQ(layer.by_tiles(plain_tiles(), fastest_kernels(), 2), plain) << "in stripes";
  for (const Kernels* kernels : vector_kernels()) {
    if (kernels->fused) {
      EXPECT_EQ(layer.by_tiles(plain_tiles(), *kernels, 3), plain) << kernels->name;
    }
  }
  if (amx_tiles() != nullptr) {
    EXPECT_EQ(layer.by_tiles(*amx_tiles(), fastest_kernels(), 3), plain) << "AMX";
  }
}

TEST(TileConvolution, AddsTheProductsOfPresentWeightsOnAdversarialShapes) {
  for (const Case& c : adversarial_cases()) {
    check(c);
  }
}

TEST(TileConvolution, AddsTheProductsOfPresentWeightsOnRandomShapes) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    check(random_case(seed));
  }
}

TEST(TileConvolution, RefusesLayersWhoseTilesAnIndexCannotCount) {
  const auto place = [](std::int64_t channels) {
    return LayerPlace{{"layer", 1, channels, channels, 3, 3}, {3, 3, 1, 1}, {}, {}};
  };
  EXPECT_TRUE(fits_tiles(place(2048)));
  EXPECT_FALSE(fits_tiles(place(4096)));
}

/// All convolutions that can, whatever their density.
constexpr TileChoice everywhere(const TileKernels& tiles) { return {&tiles, 0}; }

std::unique_ptr<Executor> make(const Network& network, std::int64_t threads,
                               const TileChoice& tiles,
                               const Kernels& kernels = fastest_kernels()) {
  return make_sparse_executor(network, threads, kernels, Precision::bf16, tiles);
}

/// The state after three steps with batches of changing size, a change of the mask among them.
TrainingState trained(Executor& executor) {
  const Network& network = executor.network();
  executor.write(random_state(network, 0.3, 1));
  for (std::uint64_t i = 0; i < 3; ++i) {
    executor.forward_backward(random_batch(network, i == 1 ? 7 : 40, 2 + i));
    executor.step(sgd_step());
    if (i == 1) {
      TrainingState state = executor.read();
      for (LayerMask& layer : state.mask.layers) {
        layer.set(layer.size() / 2);
      }
      executor.write(state);
    }
  }
  return executor.read();
}

TEST(TileExecutor, GivesTheSameBitsForAnyNumberOfThreads) {
  for (const Network& network : small_networks()) {
    SCOPED_TRACE(network.name);
    const TrainingState one = trained(*make(network, 1, everywhere(plain_tiles())));
    for (const std::int64_t threads : {2, 3, 16}) {
      SCOPED_TRACE(threads);
      EXPECT_EQ(trained(*make(network, threads, everywhere(plain_tiles()))), one);
    }
  }
}

TEST(TileExecutor, GivesTheSameBitsForAnyWidthOfVectorsWithFusedMultiplyAdd) {
  const Network network = build_network("resnet8", {{3, 12, 12}, 10, 4});
  const TrainingState expected =
      trained(*make(network, 2, everywhere(plain_tiles()), reference_kernels()));
  for (const Kernels* kernels : vector_kernels()) {
    if (kernels->fused) {
      SCOPED_TRACE(kernels->name);
      EXPECT_EQ(trained(*make(network, 2, everywhere(plain_tiles()), *kernels)), expected);
    }
  }
}

TEST(TileExecutor, GivesTheSameBitsByTheProcessorsInstructions) {
  if (amx_tiles() == nullptr) {
    GTEST_SKIP() << amx_facts().reason;
  }
  std::vector<Network> networks = small_networks();
  networks.push_back(build_network("resnet20", {{3, 32, 32}, 10, 16}));
  for (const Network& network : networks) {
    SCOPED_TRACE(network.name);
    EXPECT_EQ(trained(*make(network, 2, everywhere(*amx_tiles()))),
              trained(*make(network, 2, everywhere(plain_tiles()))));
  }
}

TEST(TileExecutor, TrainsToThePinnedBits) {
  const Network network = build_network("resnet8", {{3, 12, 12}, 10, 4});
  const TrainingState state = trained(*make(network, 1, everywhere(plain_tiles())));
  Sha256 sum;
  for (const std::vector<float>& layer : state.values.weights) {
    sum.update(std::as_bytes(std::span(layer)));
  }
  // A change of the order of additions raises results_version of sparse execution.
  EXPECT_EQ(hex(sum.finish()).substr(0, 12), "096e72f384ce");
}

/// Distance of two sets of arrays, relative to the length of the second.
double distance(const std::vector<std::vector<float>>& a,
                const std::vector<std::vector<float>>& b) {
  double apart = 0;
  double length = 0;
  for (std::size_t l = 0; l < b.size(); ++l) {
    for (std::size_t i = 0; i < b[l].size(); ++i) {
      const double expected = static_cast<double>(b[l][i]);
      apart += std::pow(static_cast<double>(a[l][i]) - expected, 2);
      length += expected * expected;
    }
  }
  return std::sqrt(apart / length);
}

/// Without a ReLU, whose switching makes any rounding large, and with both kinds of weight
/// gradient, an input that two layers share, and odd numbers of channels.
Network smooth_network() {
  NetworkBuilder net("smooth", {3, 12, 12});
  const std::int32_t first = net.batch_norm("norm1", net.convolution("conv1", 0, 20, {3, 3, 1, 1}));
  const std::int32_t second =
      net.batch_norm("norm2", net.convolution("conv2", first, 20, {3, 3, 1, 1}));
  const std::int32_t sum = net.add("add", second, first);
  const std::int32_t beside = net.convolution("conv3", sum, 17, {3, 3, 2, 1});
  const std::int32_t across = net.convolution("conv4", sum, 17, {1, 1, 2, 0});
  const std::int32_t odd = net.batch_norm("norm3", net.add("add2", beside, across));
  const std::int32_t small = net.convolution("conv5", odd, 9, {3, 3, 2, 1});
  const std::int32_t last = net.convolution("conv6", small, 9, {3, 3, 1, 1});
  net.linear("classifier", net.flatten("flatten", net.global_average_pool("mean", last)), 10);
  return net.finish();
}

/// What is multiplied, weights among it, has eight digits: rounding moves it by 1/1000 on average.
constexpr double kTolerance = 0.015;

TEST(TileExecutor, DiffersFromSinglePrecisionByRoundingAlone) {
  const Network network = smooth_network();
  const OwnedBatch batch = random_batch(network, 128, 6);
  for (const double density : {0.3, 1.0}) {
    SCOPED_TRACE(density);
    const auto tiles = make(network, 2, everywhere(plain_tiles()));
    const auto half = make_sparse_executor(network, 2, Precision::bf16);
    const auto single = make_sparse_executor(network, 2);
    const TrainingState state = random_state(network, density, 5);
    for (Executor* executor : {tiles.get(), half.get(), single.get()}) {
      executor->write(state);
    }
    for (int i = 0; i < 3; ++i) {
      const double loss = single->forward_backward(batch).loss;
      EXPECT_NEAR(tiles->forward_backward(batch).loss, loss, kTolerance * loss);
      half->forward_backward(batch);
      EXPECT_LT(distance(tiles->gradients().weights, single->gradients().weights), kTolerance);
      const double apart = distance(tiles->gradients().weights, half->gradients().weights);
      EXPECT_LT(apart, kTolerance);
      EXPECT_GT(apart, 1e-5) << "nothing ran by tiles";
      for (Executor* executor : {tiles.get(), half.get(), single.get()}) {
        executor->step(sgd_step());
      }
    }
    EXPECT_LT(distance(tiles->read().values.weights, single->read().values.weights), kTolerance);
    const double loss = single->evaluate(batch, {}).loss;
    EXPECT_NEAR(tiles->evaluate(batch, {}).loss, loss, kTolerance * loss);
    const TrainingState before = tiles->read();
    const auto all = tiles->dense_gradients(batch);
    EXPECT_LT(distance(all, single->dense_gradients(batch)), kTolerance);
    EXPECT_EQ(tiles->read(), before);
    // At present connections they are the gradients of a step.
    tiles->forward_backward(batch);
    const Parameters step = tiles->gradients();
    for (std::size_t l = 0; l < all.size(); ++l) {
      state.mask.layers[l].for_each_present([&](std::int64_t i) {
        const std::size_t at = static_cast<std::size_t>(i);
        ASSERT_EQ(step.weights[l][at], all[l][at]) << network.layers[l].name << ", " << i;
      });
    }
  }
}

/// Which layers of an execution run by tiles.
std::vector<bool> by_tiles(const Network& network, const TileChoice& tiles, Precision precision,
                           const std::function<double(const Layer&)>& density) {
  Execution execution = make_execution(network, 1, fastest_kernels(), precision, tiles);
  TrainingState state = random_state(network, 1, 1);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    LayerMask& mask = state.mask.layers[l];
    const std::int64_t count = mask.size();
    mask = LayerMask(count);
    for (std::int64_t i = 0;
         i < std::llround(density(network.layers[l]) * static_cast<double>(count)); ++i) {
      mask.set(i);
    }
  }
  write_layers(execution, state.mask, state.values.weights);
  std::vector<bool> found;
  std::ranges::transform(execution.layers, std::back_inserter(found), &SparseLayer::runs_tiles);
  return found;
}

TEST(TileRule, TakesConvolutionsBetweenTensorsInBf16OfTheDensityOrAbove) {
  const Network network = smooth_network();
  const TileChoice tiles{&plain_tiles(), 0.04};
  const auto all = [](double density) { return [density](const Layer&) { return density; }; };
  // Neither the one that reads images nor the linear layer.
  const std::vector<bool> able{false, true, true, true, true, true, false};
  const std::vector<bool> none(able.size(), false);
  EXPECT_EQ(by_tiles(network, tiles, Precision::bf16, all(1)), able);
  EXPECT_EQ(by_tiles(network, tiles, Precision::bf16, all(0.05)), able);
  EXPECT_EQ(by_tiles(network, tiles, Precision::bf16, all(0.03)), none);
  EXPECT_EQ(by_tiles(network, tiles, Precision::fp32, all(1)), none);
  EXPECT_EQ(by_tiles(network, {}, Precision::bf16, all(1)), none);
  const auto but_one = [](const Layer& layer) { return layer.name == "conv3" ? 0.01 : 0.5; };
  EXPECT_EQ(by_tiles(network, tiles, Precision::bf16, but_one),
            (std::vector<bool>{false, true, false, true, true, true, false}));
}

TEST(TileRule, LeavesLayersAloneThatShareABlockWithOneBelowTheDensity) {
  NetworkBuilder net("shared", {3, 12, 12});
  const std::int32_t first = net.batch_norm("norm1", net.convolution("conv1", 0, 8, {3, 3, 1, 1}));
  const std::int32_t relu = net.relu("relu", first);
  const std::int32_t left = net.convolution("left", relu, 8, {3, 3, 1, 1});
  const std::int32_t right = net.convolution("right", relu, 8, {3, 3, 1, 1});
  const std::int32_t sum = net.batch_norm("norm2", net.add("add", left, right));
  const std::int32_t last = net.convolution("last", sum, 8, {3, 3, 1, 1});
  net.linear("classifier", net.flatten("flatten", net.global_average_pool("mean", last)), 10);
  const Network network = net.finish();
  ASSERT_EQ(make_plan(network, Precision::bf16).value[static_cast<std::size_t>(relu)].kind,
            Room::Kind::block);
  const TileChoice tiles{&plain_tiles(), 0.04};
  const auto but = [](const char* name) {
    return [name](const Layer& layer) { return layer.name == name ? 0.01 : 0.5; };
  };
  EXPECT_EQ(by_tiles(network, tiles, Precision::bf16, but("none")),
            (std::vector<bool>{false, true, true, true, false}));
  EXPECT_EQ(by_tiles(network, tiles, Precision::bf16, but("right")),
            (std::vector<bool>{false, false, false, true, false}));
  // Both forms of the block, one after the other.
  TrainingState state = random_state(network, 0.3, 1);
  const auto changed = make(network, 2, tiles);
  changed->write(state);
  changed->forward_backward(random_batch(network, 20, 3));
  LayerMask few(state.mask.layers[2].size());
  few.set(5);
  state.mask.layers[2] = few;
  for (std::size_t i = 0; i < state.values.weights[2].size(); ++i) {
    if (i != 5) {
      state.values.weights[2][i] = 0;
      state.slots[0].values.weights[2][i] = 0;
    }
  }
  const auto fresh = make(network, 2, tiles);
  for (Executor* executor : {changed.get(), fresh.get()}) {
    executor->write(state);
    executor->forward_backward(random_batch(network, 20, 4));
    executor->step(sgd_step());
  }
  EXPECT_EQ(changed->read(), fresh->read());
}

/// The contract of executors, as for bf16 by present weights.
class TileConformance : public ::testing::TestWithParam<ConformanceCase> {};

TEST_P(TileConformance, Holds) {
  GetParam().check(
      [](const Network& network) { return make(network, 3, everywhere(plain_tiles())); },
      small_networks());
}

TEST_P(TileConformance, HoldsByTheProcessorsInstructions) {
  if (amx_tiles() == nullptr) {
    GTEST_SKIP() << amx_facts().reason;
  }
  GetParam().check(
      [](const Network& network) { return make(network, 3, everywhere(*amx_tiles())); },
      small_networks());
}

INSTANTIATE_TEST_SUITE_P(Executor, TileConformance,
                         ::testing::ValuesIn(conformance_cases_of_any_precision()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace gcg::sparse
