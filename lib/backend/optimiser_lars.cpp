#include <cmath>

#include "backend/optimiser.h"

namespace gcg {

namespace {

constexpr std::array kOptions{
    OptimiserOption{"momentum", 0.9, {0, 1, false, true}, "momentum of SGD"},
    OptimiserOption{"trust", 1e-3, kPositive,
                    "LARS: a layer's rate is this times |weights| / (|gradient| + weight-decay "
                    "|weights|) of the learning rate"},
    OptimiserOption{"weight-decay", 1e-4, kNotNegative, "L2 penalty on the present weights only"}};

constexpr std::array kSlots{OptimiserSlot{"velocity", "last update"}};

double norm(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) {
    sum += static_cast<double>(value) * static_cast<double>(value);
  }
  return std::sqrt(sum);
}

/// m = momentum m + rate ratio (gradient + decay w);  w -= m, where ratio = trust |w| / (|gradient|
/// + decay |w|) for the weights of a maskable layer. Everything else has ratio 1 and no decay, and
/// so have weights whose norms are 0 or not finite: there a ratio would mean nothing.
void update(const OptimiserStep& step, const ArrayUpdate& array) {
  const bool adapts = array.kind == ParameterKind::weight;
  const double weight_decay = adapts ? step["weight-decay"] : 0;
  double ratio = 1;
  if (adapts) {
    const double weights = norm(array.values);
    const double gradients = norm(array.gradient);
    const double adapted = step["trust"] * weights / (gradients + weight_decay * weights);
    if (std::isfinite(adapted) && weights > 0 && gradients > 0) {
      ratio = adapted;
    }
  }
  const auto keep = static_cast<float>(step["momentum"]);
  const auto rate = static_cast<float>(step.learning_rate * ratio);
  const auto decay = static_cast<float>(weight_decay);
  const std::span<float> velocity = array.slots[0];
  for (std::size_t i = 0; i < array.values.size(); ++i) {
    const float m = keep * velocity[i] + rate * (array.gradient[i] + decay * array.values[i]);
    velocity[i] = m;
    array.values[i] -= m;
  }
}

}  // namespace

Optimiser lars_optimiser() {
  return {"lars",
          "SGD with momentum and a learning rate for each layer by the norms of its weights and "
          "gradient",
          "You et al. 2017, Large batch training of convolutional networks",
          kOptions,
          kSlots,
          0.1,
          false,
          update};
}

}  // namespace gcg
