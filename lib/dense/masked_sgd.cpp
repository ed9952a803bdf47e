#include "dense/masked_sgd.h"

#include <bit>
#include <cmath>

namespace gcg {

void select(std::span<float> values, std::span<const std::int32_t> selectors) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::bit_cast<float>(std::bit_cast<std::int32_t>(values[i]) & selectors[i]);
  }
}

void sgd_update(std::span<float> values, std::span<float> momentum, std::span<const float> gradient,
                const SgdStep& step) {
  const float rate = static_cast<float>(step.learning_rate);
  const float decay = static_cast<float>(step.weight_decay);
  const float keep = static_cast<float>(step.momentum);
  // Direction = own * g + slot * m covers both forms; x * 1 and + x * 0 are exact for finite x, but
  // 0 * inf is not 0, so the two are written out.
  if (step.nesterov) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float g = gradient[i] + decay * values[i];
      const float m = keep * momentum[i] + g;
      momentum[i] = m;
      values[i] -= rate * (g + keep * m);
    }
  } else {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float g = gradient[i] + decay * values[i];
      const float m = keep * momentum[i] + g;
      momentum[i] = m;
      values[i] -= rate * m;
    }
  }
}

void adamw_update(std::span<float> values, std::span<float> momentum, std::span<float> squares,
                  std::span<const float> gradient, const AdamWStep& step, std::int64_t update) {
  const auto t = static_cast<double>(update);
  const auto keep = static_cast<float>(step.beta1);
  const auto take = static_cast<float>(1 - step.beta1);
  const auto keep_square = static_cast<float>(step.beta2);
  const auto take_square = static_cast<float>(1 - step.beta2);
  const auto rate = static_cast<float>(step.learning_rate / (1 - std::pow(step.beta1, t)));
  const auto correction = static_cast<float>(1 / std::sqrt(1 - std::pow(step.beta2, t)));
  const auto epsilon = static_cast<float>(step.epsilon);
  const auto decay = static_cast<float>(step.learning_rate * step.weight_decay);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float g = gradient[i];
    const float m = keep * momentum[i] + take * g;
    const float v = keep_square * squares[i] + take_square * (g * g);
    momentum[i] = m;
    squares[i] = v;
    values[i] -= rate * (m / (std::sqrt(v) * correction + epsilon)) + decay * values[i];
  }
}

}  // namespace gcg
