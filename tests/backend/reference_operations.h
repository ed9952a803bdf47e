#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/network.h"

namespace gcg::reference {

/// The output of a node for a batch, [samples][channels][height][width], in double precision.
struct Array {
  std::int64_t samples = 0;
  Shape shape;
  std::vector<double> values;

  Array() = default;
  Array(std::int64_t sample_count, const Shape& sample_shape)
      : samples(sample_count),
        shape(sample_shape),
        values(static_cast<std::size_t>(sample_count * sample_shape.elements()), 0.0) {}

  double& at(std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) {
    return values[index(n, c, y, x)];
  }
  [[nodiscard]] double at(std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) const {
    return values[index(n, c, y, x)];
  }

 private:
  [[nodiscard]] std::size_t index(std::int64_t n, std::int64_t c, std::int64_t y,
                                  std::int64_t x) const {
    return static_cast<std::size_t>(((n * shape.channels + c) * shape.height + y) * shape.width +
                                    x);
  }
};

/// Statistics of one normalisation over a batch, per channel.
struct Moments {
  std::vector<double> mean;
  std::vector<double> variance;  ///< biased: divided by the number of values
};

/// Every operation comes as a pair. `output` has the node's shape already; the backward half adds
/// to the gradients of its inputs, weights and biases (the bias spans are empty where there is
/// none). Weights have the layout of Layer; a linear layer is a 1x1 convolution.
void convolve(const Array& input, std::span<const float> weight, std::span<const float> bias,
              const Window& window, Array& output);
void convolve_backward(const Array& input, std::span<const float> weight, const Window& window,
                       const Array& output_gradient, Array& input_gradient,
                       std::span<double> weight_gradient, std::span<double> bias_gradient);

Moments batch_moments(const Array& input);
void normalise(const Array& input, const Moments& moments, std::span<const float> scale,
               std::span<const float> shift, Array& output);
/// The moments being those of the input itself.
void normalise_backward(const Array& input, const Moments& moments, std::span<const float> scale,
                        const Array& output_gradient, Array& input_gradient,
                        std::span<double> scale_gradient, std::span<double> shift_gradient);

/// The largest value of each window, the first in row-major order of equals; padding is never
/// chosen.
void max_pool(const Array& input, const Window& window, Array& output);
void max_pool_backward(const Array& input, const Window& window, const Array& output_gradient,
                       Array& input_gradient);

/// The mean over each window; padding counts as zeros.
void average_pool(const Array& input, const Window& window, Array& output);
void average_pool_backward(const Window& window, const Array& output_gradient,
                           Array& input_gradient);

/// Every position's channels normalised by themselves.
void layer_norm(const Array& input, std::span<const float> scale, std::span<const float> shift,
                Array& output);
void layer_norm_backward(const Array& input, std::span<const float> scale,
                         const Array& output_gradient, Array& input_gradient,
                         std::span<double> scale_gradient, std::span<double> shift_gradient);

double gelu(double x);
double gelu_derivative(double x);

void tokens(const Array& input, std::span<const float> class_token,
            std::span<const float> positions, Array& output);
void tokens_backward(const Array& output_gradient, Array& input_gradient,
                     std::span<double> class_token_gradient, std::span<double> positions_gradient);

/// The three gradients may be the same array.
void attention(const Array& query, const Array& key, const Array& value, std::int64_t heads,
               Array& output);
void attention_backward(const Array& query, const Array& key, const Array& value,
                        std::int64_t heads, const Array& output_gradient, Array& query_gradient,
                        Array& key_gradient, Array& value_gradient);

void first_token(const Array& input, Array& output);
void first_token_backward(const Array& output_gradient, Array& input_gradient);

}  // namespace gcg::reference
