// Convolutions by tiles against those over present weights.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "backend/random_cases.h"
#include "base/host.h"
#include "base/random.h"
#include "sparse/kernels.h"
#include "sparse/tile_convolve.h"

namespace gcg::sparse {
namespace {

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
            to[lane] = std::bit_cast<float>(
                std::bit_cast<std::uint32_t>(static_cast<float>(stream.normal())) & 0xffff0000U);
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
        dense.back() = std::bit_cast<float>(
            std::bit_cast<std::uint32_t>(static_cast<float>(stream.normal())) & 0xffff0000U);
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

}  // namespace
}  // namespace gcg::sparse
