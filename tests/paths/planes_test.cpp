#include "paths/planes.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/throws.h"
#include "paths/reference.h"

namespace gcg::testing {
namespace {

using ::testing::HasSubstr;

struct Case {
  Shape input;
  Window window;
};

/// Kernels, strides and paddings that leave columns unread, phases without taps, single positions.
const std::vector<Case> kCases{
    {{2, 5, 6}, {3, 3, 1, 1}}, {{3, 7, 7}, {3, 3, 2, 1}}, {{2, 6, 5}, {1, 1, 2, 0}},
    {{2, 9, 8}, {7, 7, 2, 3}}, {{1, 7, 8}, {2, 3, 3, 2}}, {{4, 1, 1}, {1, 1, 1, 0}},
    {{2, 8, 8}, {1, 3, 4, 2}}, {{1, 3, 3}, {3, 3, 1, 2}}, {{1, 6, 6}, {2, 2, 5, 0}}};

Network network_of(const Case& c) {
  NetworkBuilder net("planes", c.input);
  std::int32_t x = net.convolution("conv", 0, 3, c.window);
  net.linear("linear", net.global_average_pool("pool", x), 2);
  return net.finish();
}

std::vector<double> random_values(std::int64_t count, RandomStream& stream) {
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& value : values) {
    value = stream.uniform();
  }
  return values;
}

/// Calls f(case number, network, layout, mask, weights) for every case, a sparse and a dense mask.
template <typename F>
void for_each_case(F f) {
  for (std::size_t k = 0; k < kCases.size(); ++k) {
    RandomStream stream(k, "path-planes-test");
    const Network network = network_of(kCases[k]);
    const Parameters parameters = random_parameters(network, stream);
    for (const double density : {0.0, 0.3, 0.9}) {
      SCOPED_TRACE(fmt::format("case {}, density {}", k, density));
      const Mask mask = random_mask(network, density, stream);
      f(network.layers[0], plane_layout(network, network.layers[0]), mask.layers[0],
        parameters.weights[0], kCases[k].window, stream);
    }
  }
}

/// Calls f(output element, input element, weight) for every product of a convolution's definition.
template <typename F>
void convolve(const Layer& layer, const PlaneLayout& layout, const LayerMask& mask,
              const std::vector<float>& weights, const Window& window, F f) {
  for (std::int64_t o = 0; o < layer.outputs; ++o) {
    for (std::int64_t c = 0; c < layer.fan_in(); ++c) {
      const std::int64_t i = c / layer.taps();
      const std::int64_t ky = c % layer.taps() / layer.kernel_width;
      const std::int64_t kx = c % layer.kernel_width;
      for (std::int64_t y = 0; y < layout.output.height; ++y) {
        for (std::int64_t x = 0; x < layout.output.width; ++x) {
          const std::int64_t iy = y * window.stride + ky - window.padding;
          const std::int64_t ix = x * window.stride + kx - window.padding;
          const std::int64_t connection = o * layer.fan_in() + c;
          if (iy >= 0 && ix >= 0 && iy < layout.input.height && ix < layout.input.width &&
              mask.test(connection)) {
            f((o * layout.output.height + y) * layout.output.width + x,
              (i * layout.input.height + iy) * layout.input.width + ix,
              std::abs(static_cast<double>(weights[connection])));
          }
        }
      }
    }
  }
}

TEST(PathPlanes, ForwardRowsConvolveInBothFormsBitForBit) {
  for_each_case([](const Layer& layer, const PlaneLayout& layout, const LayerMask& mask,
                   const std::vector<float>& weights, const Window& window, RandomStream& stream) {
    const std::vector<double> input = random_values(layout.input.elements(), stream);
    std::vector<double> expected(layout.output.elements(), 0.0);
    convolve(layer, layout, mask, weights, window,
             [&](std::int64_t o, std::int64_t i, double w) { expected[o] += w * input[i]; });
    for (const TapForm form : {TapForm::sparse, TapForm::shared}) {
      std::vector<double> planes;
      fill_planes(layout, input, planes);
      std::vector<double> runs(layout.output.channels * layout.forward_run(), -1.0);
      sum_layer(forward_taps(layout, mask, {weights, 1}, form), planes.data(), layout.forward_run(),
                runs.data());
      std::vector<double> output(expected.size(), -1.0);
      read_outputs(layout, runs, output);
      EXPECT_EQ(output, expected);
    }
  });
}

TEST(PathPlanes, BackwardRowsAreTheTransposeInBothFormsBitForBit) {
  for_each_case([](const Layer& layer, const PlaneLayout& layout, const LayerMask& mask,
                   const std::vector<float>& weights, const Window& window, RandomStream& stream) {
    const std::vector<double> output = random_values(layout.output.elements(), stream);
    std::vector<double> expected(layout.input.elements(), 0.0);
    convolve(layer, layout, mask, weights, window,
             [&](std::int64_t o, std::int64_t i, double w) { expected[i] += w * output[o]; });
    for (const TapForm form : {TapForm::sparse, TapForm::shared}) {
      std::vector<double> spread;
      fill_outputs(layout, output, spread);
      std::vector<double> runs(layout.planes() * layout.backward_run(), -1.0);
      sum_layer(backward_taps(layout, mask, {weights, 1}, form), spread.data(),
                layout.backward_run(), runs.data());
      std::vector<double> input(expected.size(), -1.0);
      read_planes(layout, runs, input);
      EXPECT_EQ(input, expected);
    }
  });
}

TEST(PathPlanes, TakeTheSharedFormFromTwoThirdsOn) {
  LayerMask mask(3);
  EXPECT_EQ(tap_form(mask), TapForm::sparse);
  mask.set(0);
  EXPECT_EQ(tap_form(mask), TapForm::sparse);
  mask.set(2);
  EXPECT_EQ(tap_form(mask), TapForm::shared);
}

TEST(PathPlanes, RefuseALayerTooLargeForTheirOffsets) {
  NetworkBuilder net("huge", {1, 1 << 20, 1 << 13});
  net.linear("linear", net.global_average_pool("pool", net.convolution("conv", 0, 1, {3, 3, 1, 1})),
             2);
  const Network network = net.finish();
  GCG_EXPECT_ERROR(plane_layout(network, network.layers[0]), HasSubstr("huge: conv"));
}

}  // namespace
}  // namespace gcg::testing
