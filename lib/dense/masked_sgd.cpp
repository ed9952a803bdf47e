#include "dense/masked_sgd.h"

#include <bit>

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

}  // namespace gcg
