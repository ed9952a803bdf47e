#include <cmath>

#include "backend/optimiser.h"

namespace gcg {

namespace {

constexpr double kEpsilon = 1e-8;

constexpr std::array kOptions{
    OptimiserOption{"beta1", 0.9, {0, 1, false, true}, "decay of AdamW's average of gradients"},
    OptimiserOption{
        "beta2", 0.999, {0, 1, false, true}, "decay of AdamW's average of squared gradients"},
    OptimiserOption{"weight-decay", 1e-4, kNotNegative,
                    "decay of the present weights only, decoupled"}};

constexpr std::array kSlots{OptimiserSlot{"gradient_average", "averaged gradient"},
                            OptimiserSlot{"square_average", "averaged squared gradient"}};

/// The t-th update since the slots were empty: m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 -
/// beta2) g^2;  w -= rate (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) + decay w).
/// Decay applies to weights of maskable layers alone (Touvron et al. 2021).
void update(const OptimiserStep& step, const ArrayUpdate& array) {
  const auto t = static_cast<double>(array.number);
  const double beta1 = step["beta1"];
  const double beta2 = step["beta2"];
  const double weight_decay = array.kind == ParameterKind::weight ? step["weight-decay"] : 0;
  const auto keep = static_cast<float>(beta1);
  const auto take = static_cast<float>(1 - beta1);
  const auto keep_square = static_cast<float>(beta2);
  const auto take_square = static_cast<float>(1 - beta2);
  const auto rate = static_cast<float>(step.learning_rate / (1 - std::pow(beta1, t)));
  const auto correction = static_cast<float>(1 / std::sqrt(1 - std::pow(beta2, t)));
  const auto epsilon = static_cast<float>(kEpsilon);
  const auto decay = static_cast<float>(step.learning_rate * weight_decay);
  const std::span<float> average = array.slots[0];
  const std::span<float> squares = array.slots[1];
  for (std::size_t i = 0; i < array.values.size(); ++i) {
    const float g = array.gradient[i];
    const float m = keep * average[i] + take * g;
    const float v = keep_square * squares[i] + take_square * (g * g);
    average[i] = m;
    squares[i] = v;
    array.values[i] -= rate * (m / (std::sqrt(v) * correction + epsilon)) + decay * array.values[i];
  }
}

}  // namespace

Optimiser adamw_optimiser() {
  return {"adamw",
          "adaptive moments with decoupled weight decay",
          "Loshchilov & Hutter 2019, Decoupled weight decay regularization",
          kOptions,
          kSlots,
          0.001,
          true,
          update};
}

}  // namespace gcg
