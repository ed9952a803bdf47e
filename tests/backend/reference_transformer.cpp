// The operations of transformers, by their definitions.
#include <cmath>
#include <numbers>

#include "backend/reference_operations.h"
#include "graph/parameters.h"

namespace gcg::reference {

namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

struct LayerMoments {
  double mean = 0;
  double deviation = 0;
};

LayerMoments layer_moments(const Array& input, std::int64_t n, std::int64_t y, std::int64_t x) {
  const std::int64_t channels = input.shape.channels;
  const auto count = static_cast<double>(channels);
  LayerMoments moments;
  for (std::int64_t c = 0; c < channels; ++c) {
    moments.mean += input.at(n, c, y, x) / count;
  }
  double variance = 0;
  for (std::int64_t c = 0; c < channels; ++c) {
    const double centred = input.at(n, c, y, x) - moments.mean;
    variance += centred * centred / count;
  }
  moments.deviation = std::sqrt(variance + kLayerNormEpsilon);
  return moments;
}

template <typename F>
void for_each_position(const Array& array, F f) {
  for (std::int64_t n = 0; n < array.samples; ++n) {
    for (std::int64_t y = 0; y < array.shape.height; ++y) {
      for (std::int64_t x = 0; x < array.shape.width; ++x) {
        f(n, y, x);
      }
    }
  }
}

/// How much a token looks at every token, in one head: the softmax of the scaled products.
std::vector<double> looks(const Array& query, const Array& key, std::int64_t heads, std::int64_t n,
                          std::int64_t head, std::int64_t token) {
  const std::int64_t width = query.shape.channels / heads;
  std::vector<double> weights;
  double sum = 0;
  for (std::int64_t other = 0; other < key.shape.height; ++other) {
    double product = 0;
    for (std::int64_t c = head * width; c < (head + 1) * width; ++c) {
      product += query.at(n, c, token, 0) * key.at(n, c, other, 0);
    }
    weights.push_back(std::exp(product / std::sqrt(static_cast<double>(width))));
    sum += weights.back();
  }
  for (double& weight : weights) {
    weight /= sum;
  }
  return weights;
}

/// Calls f(sample, head, token) for all of them.
template <typename F>
void for_each_look(const Array& query, std::int64_t heads, F f) {
  for (std::int64_t n = 0; n < query.samples; ++n) {
    for (std::int64_t head = 0; head < heads; ++head) {
      for (std::int64_t token = 0; token < query.shape.height; ++token) {
        f(n, head, token);
      }
    }
  }
}

}  // namespace

void layer_norm(const Array& input, std::span<const float> scale, std::span<const float> shift,
                Array& output) {
  for_each_position(input, [&](std::int64_t n, std::int64_t y, std::int64_t x) {
    const LayerMoments moments = layer_moments(input, n, y, x);
    for (std::int64_t c = 0; c < input.shape.channels; ++c) {
      const double normal = (input.at(n, c, y, x) - moments.mean) / moments.deviation;
      output.at(n, c, y, x) =
          normal * static_cast<double>(scale[at(c)]) + static_cast<double>(shift[at(c)]);
    }
  });
}

void layer_norm_backward(const Array& input, std::span<const float> scale,
                         const Array& output_gradient, Array& input_gradient,
                         std::span<double> scale_gradient, std::span<double> shift_gradient) {
  const std::int64_t channels = input.shape.channels;
  const auto count = static_cast<double>(channels);
  for_each_position(input, [&](std::int64_t n, std::int64_t y, std::int64_t x) {
    const LayerMoments moments = layer_moments(input, n, y, x);
    const auto normal = [&](std::int64_t c) {
      return (input.at(n, c, y, x) - moments.mean) / moments.deviation;
    };
    const auto scaled = [&](std::int64_t c) {
      return output_gradient.at(n, c, y, x) * static_cast<double>(scale[at(c)]);
    };
    double sum = 0;
    double along = 0;
    for (std::int64_t c = 0; c < channels; ++c) {
      shift_gradient[at(c)] += output_gradient.at(n, c, y, x);
      scale_gradient[at(c)] += output_gradient.at(n, c, y, x) * normal(c);
      sum += scaled(c) / count;
      along += scaled(c) * normal(c) / count;
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      input_gradient.at(n, c, y, x) += (scaled(c) - sum - normal(c) * along) / moments.deviation;
    }
  });
}

double gelu(double x) { return x * std::erfc(-x / std::numbers::sqrt2) / 2; }

double gelu_derivative(double x) {
  const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
  return std::erfc(-x / std::numbers::sqrt2) / 2 + x * density;
}

void tokens(const Array& input, std::span<const float> class_token,
            std::span<const float> positions, Array& output) {
  const std::int64_t count = output.shape.height;
  for_each_position(output, [&](std::int64_t n, std::int64_t token, std::int64_t x) {
    for (std::int64_t c = 0; c < output.shape.channels; ++c) {
      const std::int64_t patch = token - 1;
      const double own = token == 0
                             ? static_cast<double>(class_token[at(c)])
                             : input.at(n, c, patch / input.shape.width, patch % input.shape.width);
      output.at(n, c, token, x) = own + static_cast<double>(positions[at(c * count + token)]);
    }
  });
}

void tokens_backward(const Array& output_gradient, Array& input_gradient,
                     std::span<double> class_token_gradient, std::span<double> positions_gradient) {
  const std::int64_t count = output_gradient.shape.height;
  for_each_position(output_gradient, [&](std::int64_t n, std::int64_t token, std::int64_t x) {
    for (std::int64_t c = 0; c < output_gradient.shape.channels; ++c) {
      const double gradient = output_gradient.at(n, c, token, x);
      positions_gradient[at(c * count + token)] += gradient;
      if (token == 0) {
        class_token_gradient[at(c)] += gradient;
      } else {
        const std::int64_t width = input_gradient.shape.width;
        input_gradient.at(n, c, (token - 1) / width, (token - 1) % width) += gradient;
      }
    }
  });
}

void attention(const Array& query, const Array& key, const Array& value, std::int64_t heads,
               Array& output) {
  const std::int64_t width = query.shape.channels / heads;
  for_each_look(query, heads, [&](std::int64_t n, std::int64_t head, std::int64_t token) {
    const std::vector<double> weights = looks(query, key, heads, n, head, token);
    for (std::int64_t c = head * width; c < (head + 1) * width; ++c) {
      for (std::int64_t other = 0; other < key.shape.height; ++other) {
        output.at(n, c, token, 0) += weights[at(other)] * value.at(n, c, other, 0);
      }
    }
  });
}

void attention_backward(const Array& query, const Array& key, const Array& value,
                        std::int64_t heads, const Array& output_gradient, Array& query_gradient,
                        Array& key_gradient, Array& value_gradient) {
  const std::int64_t width = query.shape.channels / heads;
  const std::int64_t tokens = query.shape.height;
  const double scale = 1 / std::sqrt(static_cast<double>(width));
  for_each_look(query, heads, [&](std::int64_t n, std::int64_t head, std::int64_t token) {
    const std::vector<double> weights = looks(query, key, heads, n, head, token);
    std::vector<double> weight_gradient(at(tokens), 0.0);
    double mean = 0;
    for (std::int64_t other = 0; other < tokens; ++other) {
      for (std::int64_t c = head * width; c < (head + 1) * width; ++c) {
        weight_gradient[at(other)] += output_gradient.at(n, c, token, 0) * value.at(n, c, other, 0);
        value_gradient.at(n, c, other, 0) +=
            weights[at(other)] * output_gradient.at(n, c, token, 0);
      }
      mean += weights[at(other)] * weight_gradient[at(other)];
    }
    for (std::int64_t other = 0; other < tokens; ++other) {
      const double product = scale * weights[at(other)] * (weight_gradient[at(other)] - mean);
      for (std::int64_t c = head * width; c < (head + 1) * width; ++c) {
        query_gradient.at(n, c, token, 0) += product * key.at(n, c, other, 0);
        key_gradient.at(n, c, other, 0) += product * query.at(n, c, token, 0);
      }
    }
  });
}

void first_token(const Array& input, Array& output) {
  for (std::int64_t n = 0; n < input.samples; ++n) {
    for (std::int64_t c = 0; c < input.shape.channels; ++c) {
      output.at(n, c, 0, 0) = input.at(n, c, 0, 0);
    }
  }
}

void first_token_backward(const Array& output_gradient, Array& input_gradient) {
  for (std::int64_t n = 0; n < input_gradient.samples; ++n) {
    for (std::int64_t c = 0; c < input_gradient.shape.channels; ++c) {
      input_gradient.at(n, c, 0, 0) += output_gradient.at(n, c, 0, 0);
    }
  }
}

}  // namespace gcg::reference
