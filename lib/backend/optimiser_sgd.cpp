#include "backend/optimiser.h"

namespace gcg {

namespace {

constexpr std::array kOptions{
    OptimiserOption{"momentum", 0.9, {0, 1, false, true}, "momentum of SGD"},
    OptimiserOption{"nesterov", 1, {0, 1}, "Nesterov's form of momentum", true, "momentum"},
    OptimiserOption{"weight-decay", 1e-4, kNotNegative,
                    "L2 penalty on present weights, biases and normalisation"}};

constexpr std::array kSlots{OptimiserSlot{"momentum", "momentum"}};

/// g = gradient + decay w;  m = momentum m + g;  w -= rate (nesterov ? g + momentum m : m). Decay
/// applies to weights, biases, gammas and betas alike (the common CIFAR recipe).
void update(const OptimiserStep& step, const ArrayUpdate& array) {
  const auto rate = static_cast<float>(step.learning_rate);
  const auto decay = static_cast<float>(step["weight-decay"]);
  const auto keep = static_cast<float>(step["momentum"]);
  const auto& [kind, values, gradient, slots, number] = array;
  const std::span<float> momentum = slots[0];
  // x + 0 * m would not be x for an m that is not finite: the two forms are written out.
  if (step["nesterov"] != 0 && keep > 0) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float g = gradient[i] + decay * values[i];
      const float m = keep * momentum[i] + g;
      momentum[i] = m;
      values[i] -= rate * (g + keep * m);
    }
  } else {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float m = keep * momentum[i] + (gradient[i] + decay * values[i]);
      momentum[i] = m;
      values[i] -= rate * m;
    }
  }
}

}  // namespace

Optimiser sgd_optimiser() {
  return {"sgd",
          "stochastic gradient descent with momentum",
          "Sutskever et al. 2013, On the importance of initialization and momentum",
          kOptions,
          kSlots,
          0.1,
          false,
          update};
}

}  // namespace gcg
