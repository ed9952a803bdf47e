#include "device/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/log_softmax.h>
#include <c10/core/GradMode.h>

namespace gcg {

DeviceLoss device_loss(const at::Tensor& logits, const DeviceTargets& goal,
                       std::int64_t mean_over) {
  const c10::NoGradGuard no_autograd;
  const at::Tensor logarithms = at::log_softmax(logits, 1, at::kDouble);
  const at::Tensor classes =
      at::arange(logits.size(1), at::TensorOptions(logits.device()).dtype(at::kLong));
  const auto hard = [&](const at::Tensor& labels) {
    return labels.unsqueeze(1).eq(classes).to(at::kDouble);
  };
  const auto loss = [&](const at::Tensor& labels) {
    return logarithms.gather(1, labels.unsqueeze(1)).squeeze(1).neg();
  };
  at::Tensor targets = hard(goal.labels);
  at::Tensor losses = loss(goal.labels);
  if (goal.second_labels.defined()) {
    const at::Tensor first_share = 1 - goal.second_share;
    targets.mul_(first_share).add_(hard(goal.second_labels).mul_(goal.second_share));
    losses.mul_(first_share).add_(loss(goal.second_labels).mul_(goal.second_share));
  }
  if (goal.smoothing > 0) {
    const auto count = static_cast<double>(logits.size(1));
    targets.mul_(1 - goal.smoothing).add_(goal.smoothing / count);
    losses.mul_(1 - goal.smoothing).sub_(logarithms.mean(1), goal.smoothing);
  }
  const auto samples = static_cast<double>(mean_over > 0 ? mean_over : logits.size(0));
  return {losses, logits.argmax(1), logarithms.exp().sub_(targets).div_(samples).to(at::kFloat)};
}

}  // namespace gcg
