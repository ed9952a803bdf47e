#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "backend/reference_operations.h"
#include "base/random.h"
#include "sparse/index.h"
#include "sparse/kernels.h"
#include "sparse/operations.h"

namespace gcg::sparse {
namespace {

using reference::Array;

/// A layer with everything around it.
struct Case {
  std::string name;
  Shape input;
  std::int64_t outputs = 1;
  Window window;
  double density = 0.5;
  std::int64_t samples = 7;
  bool bias = false;
};

std::vector<Case> adversarial_cases() {
  return {
      {"one_by_one", {5, 9, 11}, 6, {1, 1, 1, 0}, 0.4, 7, true},
      {"one_by_one_stride_2", {4, 9, 8}, 6, {1, 1, 2, 0}, 0.4, 19, false},
      {"stride_2", {3, 8, 8}, 5, {3, 3, 2, 1}, 0.5, 17, true},
      {"stride_3_kernel_2", {3, 10, 11}, 4, {2, 2, 3, 0}, 0.6, 3, false},
      {"stride_above_input", {2, 2, 2}, 3, {1, 1, 4, 0}, 1.0, 3, false},
      {"all_of_the_input", {3, 5, 4}, 7, {5, 4, 1, 0}, 0.5, 40, true},
      {"more_padding_than_kernel", {2, 4, 3}, 3, {2, 3, 2, 4}, 0.7, 5, true},
      {"flat_kernel", {3, 6, 7}, 4, {1, 3, 1, 1}, 0.5, 2, false},
      {"empty_layer", {3, 6, 5}, 4, {3, 3, 1, 1}, 0.0, 7, true},
      {"nearly_empty_rows", {2, 6, 5}, 40, {3, 3, 1, 1}, 0.02, 7, false},
      {"full_layer", {5, 7, 17}, 6, {3, 3, 1, 1}, 1.0, 1, false},
      {"linear", {37}, 11, {}, 0.3, 128, true},
      {"linear_one_sample", {37}, 11, {}, 0.3, 1, true},
      {"linear_full", {9}, 5, {}, 1.0, 33, true},
      {"batch_128", {4, 8, 8}, 4, {3, 3, 1, 1}, 0.3, 128, false},
      {"channels_moved_apart", {3, 32, 32}, 4, {3, 3, 1, 1}, 0.3, 2, false},
      {"several_passes", {40, 7, 20}, 33, {3, 3, 1, 1}, 0.3, 2, false},
      {"more_weights_than_are_kept_at_a_time", {20, 4, 8}, 30, {3, 3, 1, 1}, 0.97, 33, true},
  };
}

Case random_case(std::uint64_t seed) {
  RandomStream stream(seed, "sparse-layer");
  const auto between = [&](std::uint64_t low, std::uint64_t high) {
    return static_cast<std::int64_t>(low + stream.below(high - low + 1));
  };
  Case c;
  c.name = fmt::format("random {}", seed);
  c.window = {between(1, 4), between(1, 4), between(1, 3), between(0, 3)};
  const std::int64_t least = 2 * c.window.padding;
  c.input = {between(1, 6), std::max<std::int64_t>(1, c.window.height - least) + between(0, 9),
             std::max<std::int64_t>(1, c.window.width - least) + between(0, 19)};
  c.outputs = between(1, 9);
  c.density = stream.uniform();
  c.samples = between(1, 35);
  c.bias = stream.below(2) == 1;
  return c;
}

/// All that a layer computes.
struct Result {
  Tensor output;
  Tensor input_gradient;
  Tensor twice;  ///< the input gradient, added to itself
  std::vector<float> weight;
  std::vector<float> bias;
  std::vector<float> all_weights;
};

/// The kernels for present taps, or those for all.
enum class Form { by_rule, index, all };

/// The numbers of a case, and its tensors.
struct Setting {
  LayerPlace place;
  LayerMask mask;
  std::vector<float> dense;
  std::vector<float> bias;
  Array input;
  Array gradient;
};

std::int64_t extent(std::int64_t size, std::int64_t taps, const Window& window) {
  return (size + 2 * window.padding - taps) / window.stride + 1;
}

Setting set_up(const Case& c, std::uint64_t seed) {
  RandomStream stream(seed, "sparse-values");
  Setting s;
  const Shape output{c.outputs, extent(c.input.height, c.window.height, c.window),
                     extent(c.input.width, c.window.width, c.window)};
  s.place.layer = {c.name, 1, c.outputs, c.input.channels, c.window.height, c.window.width};
  s.place.window = c.window;
  s.place.input = {c.input, input_halo(c.window)};
  s.place.output = {output, gradient_halo(c.window, c.input, output)};
  s.mask = LayerMask(s.place.layer.connections());
  for (std::int64_t i = 0; i < s.mask.size(); ++i) {
    s.dense.push_back(0.0F);
    if (stream.uniform() < c.density) {
      s.mask.set(i);
      s.dense.back() = static_cast<float>(stream.normal());
    }
  }
  for (std::int64_t o = 0; c.bias && o < c.outputs; ++o) {
    s.bias.push_back(static_cast<float>(stream.normal()));
  }
  const auto fill = [&](Array& array) {
    for (double& value : array.values) {
      value = static_cast<double>(static_cast<float>(stream.normal()));
    }
  };
  s.input = Array(c.samples, c.input);
  s.gradient = Array(c.samples, output);
  fill(s.input);
  fill(s.gradient);
  return s;
}

View view(const Layout& layout, Tensor& tensor) { return {layout, tensor.data()->lanes.data()}; }

Tensor blocks_of(const Array& array, const Layout& layout) {
  Tensor tensor(static_cast<std::size_t>(block_count(array.samples) * layout.block()));
  for (std::int64_t n = 0; n < array.samples; ++n) {
    for (std::int64_t c = 0; c < layout.shape.channels; ++c) {
      for (std::int64_t y = 0; y < layout.shape.height; ++y) {
        for (std::int64_t x = 0; x < layout.shape.width; ++x) {
          view(layout, tensor).at(n / kLanes, c, y, x)[n % kLanes] =
              static_cast<float>(array.at(n, c, y, x));
        }
      }
    }
  }
  return tensor;
}

SparseLayer layer_of(const Setting& s, Form form) {
  SparseLayer layer;
  layer.place = s.place;
  if (form == Form::by_rule) {
    layer.write(s.mask, s.dense);
  } else {
    layer.write_as(form == Form::all ? SparseLayer::Form::all : SparseLayer::Form::index, s.mask,
                   s.dense);
  }
  if (!layer.runs_all) {
    layer.all = all_index(layer.place, false);
  }
  layer.bias.write(s.bias);
  return layer;
}

std::vector<float> weight_gradient(const Run& run, const SparseLayer& layer, Weights which,
                                   const View& input, const View& gradient) {
  std::vector<float> sums(static_cast<std::size_t>(weight_count(layer, which)));
  Tensor lanes(static_cast<std::size_t>(lane_count(layer.place.layer)));
  for (std::int64_t part = 0; part < run.threads; ++part) {
    convolve_weight_gradient(run, {0, run.blocks}, all_rows(gradient.layout), layer, which,
                             share_of_rows(layer, which, part, run.threads), input, gradient, lanes,
                             sums);
  }
  return sums;
}

Result compute(Setting& s, const Kernels& kernels, std::int64_t threads,
               Form form = Form::by_rule) {
  const SparseLayer layer = layer_of(s, form);
  const Run run(kernels, threads, s.input.samples);
  const std::size_t blocks = static_cast<std::size_t>(run.blocks);
  Tensor input = blocks_of(s.input, s.place.input);
  Tensor gradient = blocks_of(s.gradient, s.place.output);
  std::vector<float> by_input(layer.by_input_count());
  layer.order_by_input(by_input);
  Result r;
  r.output.resize(blocks * static_cast<std::size_t>(s.place.output.block()));
  r.input_gradient.resize(blocks * static_cast<std::size_t>(s.place.input.block()));
  const View in = view(s.place.input, input);
  const View g = view(s.place.output, gradient);
  // In two parts and two stripes, as threads and plans would.
  const auto in_pieces = [&](const Layout& layout, auto f) {
    const std::int64_t half = threads == 1 ? 0 : layout.shape.height / 2;
    const std::int64_t most = threads == 1 ? 0 : run.blocks - 1;
    for (const Blocks part : {Blocks{0, most}, Blocks{most, run.blocks}}) {
      for (const Stripe stripe : {Stripe{0, half}, Stripe{half, layout.shape.height}}) {
        if (part.begin < part.end && stripe.height() > 0) {
          f(part, stripe);
        }
      }
    }
  };
  in_pieces(s.place.output, [&](Blocks part, Stripe stripe) {
    convolve(run, part, stripe, layer, in, view(s.place.output, r.output));
  });
  in_pieces(s.place.input, [&](Blocks part, Stripe stripe) {
    convolve_input_gradient(run, part, stripe, layer, by_input, g, false,
                            view(s.place.input, r.input_gradient));
  });
  r.twice = r.input_gradient;
  convolve_input_gradient(run, {0, run.blocks}, all_rows(s.place.input), layer, by_input, g, true,
                          view(s.place.input, r.twice));
  r.all_weights = weight_gradient(run, layer, Weights::all, in, g);
  if (layer.runs_all) {
    r.weight.resize(layer.weight.value.size());
    select_present(layer.mask, r.all_weights, r.weight);
  } else {
    r.weight = weight_gradient(run, layer, Weights::present, in, g);
  }
  r.bias.resize(s.bias.size());
  bias_gradient(run, g, r.bias);
  return r;
}

std::vector<float> floats(const Tensor& tensor) {
  std::vector<float> result;
  for (const Position& position : tensor) {
    result.insert(result.end(), position.lanes.begin(), position.lanes.end());
  }
  return result;
}

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

void expect_near(const Result& found, const Result& expected) {
  expect_near(floats(found.output), floats(expected.output), "output");
  expect_near(floats(found.input_gradient), floats(expected.input_gradient), "input gradient");
  expect_near(floats(found.twice), floats(expected.twice), "input gradient added");
  expect_near(found.weight, expected.weight, "weight gradient");
  expect_near(found.bias, expected.bias, "bias gradient");
  expect_near(found.all_weights, expected.all_weights, "weight gradient of all");
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), 4 * a.size()) == 0);
}

void expect_same_bits(const Result& found, const Result& expected) {
  EXPECT_TRUE(same_bits(floats(found.output), floats(expected.output))) << "output";
  EXPECT_TRUE(same_bits(floats(found.input_gradient), floats(expected.input_gradient)));
  EXPECT_TRUE(same_bits(floats(found.twice), floats(expected.twice))) << "added input gradient";
  EXPECT_TRUE(same_bits(found.weight, expected.weight)) << "weight gradient";
  EXPECT_TRUE(same_bits(found.bias, expected.bias)) << "bias gradient";
  EXPECT_TRUE(same_bits(found.all_weights, expected.all_weights)) << "weight gradient of all";
}

/// The same in double precision over dense arrays.
Result expected_result(const Setting& s) {
  Array output(s.input.samples, s.place.output.shape);
  Array input_gradient(s.input.samples, s.place.input.shape);
  std::vector<double> weight(s.dense.size(), 0.0);
  std::vector<double> bias(s.bias.size(), 0.0);
  reference::convolve(s.input, s.dense, s.bias, s.place.window, output);
  reference::convolve_backward(s.input, s.dense, s.place.window, s.gradient, input_gradient, weight,
                               bias);
  Result r;
  r.output = blocks_of(output, s.place.output);
  r.input_gradient = blocks_of(input_gradient, s.place.input);
  std::ranges::for_each(input_gradient.values, [](double& value) { value *= 2; });
  r.twice = blocks_of(input_gradient, s.place.input);
  s.mask.for_each_present([&](std::int64_t i) {
    r.weight.push_back(static_cast<float>(weight[static_cast<std::size_t>(i)]));
  });
  r.bias.assign(bias.begin(), bias.end());
  std::ranges::transform(weight, std::back_inserter(r.all_weights),
                         [](double value) { return static_cast<float>(value); });
  return r;
}

void check(const Case& c) {
  SCOPED_TRACE(fmt::format(
      "{}: {}x{}x{}, {} outputs, {}x{} stride {} padding {}, density {}, {} "
      "samples",
      c.name, c.input.channels, c.input.height, c.input.width, c.outputs, c.window.height,
      c.window.width, c.window.stride, c.window.padding, c.density, c.samples));
  Setting s = set_up(c, 1);
  const Result plain = compute(s, reference_kernels(), 1);
  // The halo and the lanes without a sample are compared as well: they are zero.
  expect_near(plain, expected_result(s));
  expect_same_bits(compute(s, reference_kernels(), 1, Form::all), plain);
  for (const Kernels* kernels : vector_kernels()) {
    SCOPED_TRACE(kernels->name);
    const Result one = compute(s, *kernels, 1);
    kernels->fused ? expect_same_bits(one, plain) : expect_near(one, plain);
    expect_same_bits(compute(s, *kernels, 3), one);
    expect_same_bits(compute(s, *kernels, 1, Form::all), one);
    expect_same_bits(compute(s, *kernels, 3, Form::index), one);
  }
}

TEST(SparseConvolution, HoldsOnAdversarialShapes) {
  for (const Case& c : adversarial_cases()) {
    check(c);
  }
}

TEST(SparseConvolution, HoldsOnRandomShapes) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    check(random_case(seed));
  }
}

TEST(Layout, MovesChannelsApartThatFallOnTheSameSetsOfACache) {
  EXPECT_EQ((Layout{{16, 32, 32}, 1}.plane()), 33 * 33 + 10);
  EXPECT_EQ((Layout{{16, 16, 16}, 1}.plane()), 17 * 17);
  EXPECT_EQ((Layout{{512}, 0}.plane()), 1);
  for (std::int64_t size = 8; size <= 70; ++size) {
    for (std::int64_t halo = 0; halo <= 3; ++halo) {
      const Layout layout{{4, size, size}, halo};
      const std::int64_t beside = (layout.plane() + 32) % 64 - 32;
      EXPECT_GT(std::abs(beside), 1) << size << " with a halo of " << halo;
      // Behind the last row of a channel are as many zeros as a window reaches.
      EXPECT_GE(layout.at(1, 0, 0) - layout.at(0, size - 1, size - 1),
                layout.halo * layout.pitch() + layout.halo + 1);
    }
  }
}

TEST(LayerIndex, ListsConnectionsByOutputAndByInput) {
  // Two inputs of 3x3, two outputs of 2x3 (their outer columns see padding only), a 3x1 kernel,
  // stride 2, padding 1. Rows of both tensors are 3 positions and 1 of halo.
  const Window window{3, 1, 2, 1};
  LayerPlace place{{"conv", 1, 2, 2, 3, 1}, window, {{2, 3, 3}, 1}, {{2, 2, 3}, 1}};
  LayerMask mask(place.layer.connections());
  mask.set(1);  // output 0, input 0, tap 1
  mask.set(5);  // output 0, input 1, tap 2
  mask.set(8);  // output 1, input 0, tap 2
  LayerIndex index;
  build_index(place, mask, true, index);
  EXPECT_EQ(index.outputs.passes, 1);
  EXPECT_THAT(index.outputs.cut, ::testing::ElementsAre(0, 2, 2, 3));
  // An input's row is 4 positions, its plane 16.
  EXPECT_THAT(index.offset, ::testing::ElementsAre(16 * 4, 16 * (16 + 2 * 4), 16 * 2 * 4));
  // Tap 1 meets the even rows of the input, tap 2 the odd ones; sidewards the padding makes all
  // columns of the kernel meet odd ones.
  ASSERT_EQ(index.inputs.size(), 4U);
  EXPECT_THAT(index.inputs[0].cut, ::testing::ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(index.inputs[1].cut, ::testing::ElementsAre(0, 1, 1, 1));
  EXPECT_THAT(index.inputs[2].cut, ::testing::ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(index.inputs[3].cut, ::testing::ElementsAre(1, 2, 2, 3));
  EXPECT_THAT(index.source, ::testing::ElementsAre(0, 2, 1));
  // An output's row is 4 positions, its plane 12; column 1 of the input is column 1 of the output,
  // row 1 of the input is row 0 of the output under tap 2.
  EXPECT_THAT(index.gradient_offset, ::testing::ElementsAre(16, 16 * (12 + 1), 16));
}

TEST(LayerIndex, CutsTheTapsOfARowByChannels) {
  // Half of 40 channels of 3x3: 16 channels have more than twenty taps, so that a run has 16.
  LayerPlace place{{"conv", 1, 2, 40, 3, 3}, {3, 3, 1, 1}, {{40, 4, 4}, 1}, {{2, 4, 4}, 1}};
  LayerMask mask(place.layer.connections());
  for (std::int64_t i = 0; i < mask.size(); i += 2) {
    mask.set(i);
  }
  LayerIndex index;
  build_index(place, mask, true, index);
  EXPECT_EQ(index.outputs.passes, 3);
  EXPECT_THAT(index.outputs.cut, ::testing::ElementsAre(0, 180, 72, 252, 144, 324, 180, 360));
  EXPECT_EQ(index.inputs[0].passes, 1);
}

}  // namespace
}  // namespace gcg::sparse
