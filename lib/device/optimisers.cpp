#include "device/optimisers.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcdiv.h>
#include <ATen/ops/_foreach_addcmul.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_sqrt.h>
#include <ATen/ops/_foreach_sub.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "base/error.h"

namespace gcg {

namespace {

using Tensors = std::vector<at::Tensor>;

/// The same member of all that is trained.
template <typename F>
Tensors collect(const std::vector<Trained>& trained, F of) {
  Tensors all;
  for (const Trained& one : trained) {
    all.push_back(of(one));
  }
  return all;
}

Tensors values_of(const std::vector<Trained>& trained) {
  return collect(trained, [](const Trained& one) { return one.value; });
}
Tensors gradients_of(const std::vector<Trained>& trained) {
  return collect(trained, [](const Trained& one) { return one.gradient; });
}
/// Of those that decay.
Tensors weights_of(const std::vector<Trained>& trained) {
  Tensors weights;
  for (const Trained& one : trained) {
    if (one.kind == ParameterKind::weight) {
      weights.push_back(one.value);
    }
  }
  return weights;
}
Tensors slots_of(const std::vector<Trained>& trained, std::size_t slot) {
  return collect(trained, [&](const Trained& one) { return one.slots[slot]; });
}

void update_sgd(const OptimiserStep& step, std::vector<Trained>& trained) {
  const Tensors values = values_of(trained);
  const Tensors momentum = slots_of(trained, 0);
  const double keep = step["momentum"];
  const Tensors decayed = at::_foreach_add(gradients_of(trained), values, step["weight-decay"]);
  at::_foreach_mul_(momentum, keep);
  at::_foreach_add_(momentum, decayed);
  if (step["nesterov"] != 0 && keep > 0) {
    at::_foreach_add_(values, at::_foreach_add(decayed, momentum, keep), -step.learning_rate);
  } else {
    at::_foreach_add_(values, momentum, -step.learning_rate);
  }
}

void update_adamw(const OptimiserStep& step, std::int64_t number, std::vector<Trained>& trained) {
  const auto t = static_cast<double>(number);
  const double beta1 = step["beta1"];
  const double beta2 = step["beta2"];
  const Tensors values = values_of(trained);
  const Tensors gradients = gradients_of(trained);
  const Tensors average = slots_of(trained, 0);
  const Tensors squares = slots_of(trained, 1);
  at::_foreach_mul_(average, beta1);
  at::_foreach_add_(average, gradients, 1 - beta1);
  at::_foreach_mul_(squares, beta2);
  at::_foreach_addcmul_(squares, gradients, gradients, 1 - beta2);
  const Tensors roots = at::_foreach_sqrt(squares);
  at::_foreach_mul_(roots, 1 / std::sqrt(1 - std::pow(beta2, t)));
  at::_foreach_add_(roots, 1e-8);
  at::_foreach_mul_(weights_of(trained), 1 - step.learning_rate * step["weight-decay"]);
  at::_foreach_addcdiv_(values, average, roots, -step.learning_rate / (1 - std::pow(beta1, t)));
}

void update_lars(const OptimiserStep& step, std::vector<Trained>& trained) {
  const double decay = step["weight-decay"];
  const auto norm = [](const at::Tensor& x) {
    return at::linalg_vector_norm(x, 2, {}, false, at::kDouble);
  };
  const Tensors velocities = slots_of(trained, 0);
  at::_foreach_mul_(velocities, step["momentum"]);
  for (const Trained& one : trained) {
    const at::Tensor& velocity = one.slots[0];
    if (one.kind != ParameterKind::weight) {
      velocity.add_(one.gradient, step.learning_rate);
    } else {
      const at::Tensor weights = norm(one.value);
      const at::Tensor gradients = norm(one.gradient);
      const at::Tensor adapted = weights * step["trust"] / (gradients + weights * decay);
      const at::Tensor adapts = adapted.isfinite() & weights.gt(0) & gradients.gt(0);
      const at::Tensor rate =
          (at::where(adapts, adapted, at::ones_like(adapted)) * step.learning_rate).to(at::kFloat);
      velocity.add_(one.gradient.add(one.value, decay).mul_(rate));
    }
  }
  at::_foreach_sub_(values_of(trained), velocities);
}

}  // namespace

void update_on_device(const OptimiserStep& step, std::int64_t number,
                      std::vector<Trained>& trained) {
  const c10::NoGradGuard no_autograd;
  if (step.optimiser->name == "sgd") {
    update_sgd(step, trained);
  } else if (step.optimiser->name == "adamw") {
    update_adamw(step, number, trained);
  } else if (step.optimiser->name == "lars") {
    update_lars(step, trained);
  } else {
    throw Error(step.optimiser->name, "there is no update of it on devices",
                "the row of the backend names those that there are");
  }
}

}  // namespace gcg
