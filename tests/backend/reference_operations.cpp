#include "backend/reference_operations.h"

#include <cmath>

#include "graph/parameters.h"

namespace gcg::reference {

namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// Calls f(n, c, y, x) for every element of an array.
template <typename F>
void for_each_element(const Array& array, F f) {
  for (std::int64_t n = 0; n < array.samples; ++n) {
    for (std::int64_t c = 0; c < array.shape.channels; ++c) {
      for (std::int64_t y = 0; y < array.shape.height; ++y) {
        for (std::int64_t x = 0; x < array.shape.width; ++x) {
          f(n, c, y, x);
        }
      }
    }
  }
}

/// Calls f(y, x, tap) for every position of the input that the window at output position (oy, ox)
/// covers; tap is the position inside the window. Padding is left out.
template <typename F>
void for_each_tap(const Shape& input, const Window& window, std::int64_t oy, std::int64_t ox, F f) {
  for (std::int64_t ky = 0; ky < window.height; ++ky) {
    for (std::int64_t kx = 0; kx < window.width; ++kx) {
      const std::int64_t y = oy * window.stride + ky - window.padding;
      const std::int64_t x = ox * window.stride + kx - window.padding;
      if (y >= 0 && y < input.height && x >= 0 && x < input.width) {
        f(y, x, ky * window.width + kx);
      }
    }
  }
}

struct Position {
  std::int64_t y = -1;
  std::int64_t x = -1;
};

Position largest(const Array& input, const Window& window, std::int64_t n, std::int64_t c,
                 std::int64_t oy, std::int64_t ox) {
  Position best;
  for_each_tap(input.shape, window, oy, ox, [&](std::int64_t y, std::int64_t x, std::int64_t) {
    if (best.y < 0 || input.at(n, c, y, x) > input.at(n, c, best.y, best.x)) {
      best = {y, x};
    }
  });
  return best;
}

}  // namespace

void convolve(const Array& input, std::span<const float> weight, std::span<const float> bias,
              const Window& window, Array& output) {
  const std::int64_t taps = window.height * window.width;
  for_each_element(output, [&](std::int64_t n, std::int64_t o, std::int64_t oy, std::int64_t ox) {
    double sum = bias.empty() ? 0.0 : static_cast<double>(bias[at(o)]);
    for (std::int64_t i = 0; i < input.shape.channels; ++i) {
      const std::int64_t kernel = (o * input.shape.channels + i) * taps;
      for_each_tap(input.shape, window, oy, ox,
                   [&](std::int64_t y, std::int64_t x, std::int64_t tap) {
                     sum += static_cast<double>(weight[at(kernel + tap)]) * input.at(n, i, y, x);
                   });
    }
    output.at(n, o, oy, ox) = sum;
  });
}

void convolve_backward(const Array& input, std::span<const float> weight, const Window& window,
                       const Array& output_gradient, Array& input_gradient,
                       std::span<double> weight_gradient, std::span<double> bias_gradient) {
  const std::int64_t taps = window.height * window.width;
  for_each_element(
      output_gradient, [&](std::int64_t n, std::int64_t o, std::int64_t oy, std::int64_t ox) {
        const double g = output_gradient.at(n, o, oy, ox);
        if (!bias_gradient.empty()) {
          bias_gradient[at(o)] += g;
        }
        for (std::int64_t i = 0; i < input.shape.channels; ++i) {
          const std::int64_t kernel = (o * input.shape.channels + i) * taps;
          for_each_tap(
              input.shape, window, oy, ox, [&](std::int64_t y, std::int64_t x, std::int64_t tap) {
                weight_gradient[at(kernel + tap)] += g * input.at(n, i, y, x);
                input_gradient.at(n, i, y, x) += g * static_cast<double>(weight[at(kernel + tap)]);
              });
        }
      });
}

Moments batch_moments(const Array& input) {
  const double count = static_cast<double>(input.samples * input.shape.positions());
  Moments moments{std::vector<double>(at(input.shape.channels)),
                  std::vector<double>(at(input.shape.channels))};
  for_each_element(input, [&](std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
    moments.mean[at(c)] += input.at(n, c, y, x) / count;
  });
  for_each_element(input, [&](std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
    const double deviation = input.at(n, c, y, x) - moments.mean[at(c)];
    moments.variance[at(c)] += deviation * deviation / count;
  });
  return moments;
}

void normalise(const Array& input, const Moments& moments, std::span<const float> scale,
               std::span<const float> shift, Array& output) {
  for_each_element(output, [&](std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
    const double normal = (input.at(n, c, y, x) - moments.mean[at(c)]) /
                          std::sqrt(moments.variance[at(c)] + kNormEpsilon);
    output.at(n, c, y, x) =
        static_cast<double>(scale[at(c)]) * normal + static_cast<double>(shift[at(c)]);
  });
}

void normalise_backward(const Array& input, const Moments& moments, std::span<const float> scale,
                        const Array& output_gradient, Array& input_gradient,
                        std::span<double> scale_gradient, std::span<double> shift_gradient) {
  const double count = static_cast<double>(input.samples * input.shape.positions());
  const auto deviation = [&](std::int64_t c) {
    return std::sqrt(moments.variance[at(c)] + kNormEpsilon);
  };
  const auto normal = [&](std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
    return (input.at(n, c, y, x) - moments.mean[at(c)]) / deviation(c);
  };
  for_each_element(input, [&](std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
    shift_gradient[at(c)] += output_gradient.at(n, c, y, x);
    scale_gradient[at(c)] += output_gradient.at(n, c, y, x) * normal(n, c, y, x);
  });
  // Through the normal values, and through mean and variance, which every input moves.
  for_each_element(input, [&](std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
    const double centred = output_gradient.at(n, c, y, x) - shift_gradient[at(c)] / count -
                           normal(n, c, y, x) * scale_gradient[at(c)] / count;
    input_gradient.at(n, c, y, x) += static_cast<double>(scale[at(c)]) / deviation(c) * centred;
  });
}

void max_pool(const Array& input, const Window& window, Array& output) {
  for_each_element(output, [&](std::int64_t n, std::int64_t c, std::int64_t oy, std::int64_t ox) {
    const Position best = largest(input, window, n, c, oy, ox);
    output.at(n, c, oy, ox) = input.at(n, c, best.y, best.x);
  });
}

void max_pool_backward(const Array& input, const Window& window, const Array& output_gradient,
                       Array& input_gradient) {
  for_each_element(output_gradient,
                   [&](std::int64_t n, std::int64_t c, std::int64_t oy, std::int64_t ox) {
                     const Position best = largest(input, window, n, c, oy, ox);
                     input_gradient.at(n, c, best.y, best.x) += output_gradient.at(n, c, oy, ox);
                   });
}

void average_pool(const Array& input, const Window& window, Array& output) {
  const double count = static_cast<double>(window.height * window.width);
  for_each_element(output, [&](std::int64_t n, std::int64_t c, std::int64_t oy, std::int64_t ox) {
    for_each_tap(input.shape, window, oy, ox, [&](std::int64_t y, std::int64_t x, std::int64_t) {
      output.at(n, c, oy, ox) += input.at(n, c, y, x) / count;
    });
  });
}

void average_pool_backward(const Window& window, const Array& output_gradient,
                           Array& input_gradient) {
  const double count = static_cast<double>(window.height * window.width);
  for_each_element(
      output_gradient, [&](std::int64_t n, std::int64_t c, std::int64_t oy, std::int64_t ox) {
        for_each_tap(input_gradient.shape, window, oy, ox,
                     [&](std::int64_t y, std::int64_t x, std::int64_t) {
                       input_gradient.at(n, c, y, x) += output_gradient.at(n, c, oy, ox) / count;
                     });
      });
}

}  // namespace gcg::reference
