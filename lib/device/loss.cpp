#include "device/loss.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/log_softmax.h>
#include <c10/core/GradMode.h>

namespace gcg {

DeviceLoss device_loss(const at::Tensor& logits, const at::Tensor& labels, double smoothing,
                       std::int64_t mean_over) {
  const c10::NoGradGuard no_autograd;
  const at::Tensor logarithms = at::log_softmax(logits, 1, at::kDouble);
  const at::Tensor column = labels.unsqueeze(1);
  at::Tensor targets =
      column.eq(at::arange(logits.size(1), at::TensorOptions(logits.device()).dtype(at::kLong)))
          .to(at::kDouble);
  at::Tensor losses = logarithms.gather(1, column).squeeze(1).neg();
  if (smoothing > 0) {
    const auto classes = static_cast<double>(logits.size(1));
    targets.mul_(1 - smoothing).add_(smoothing / classes);
    losses.mul_(1 - smoothing).sub_(logarithms.mean(1), smoothing);
  }
  const auto samples = static_cast<double>(mean_over > 0 ? mean_over : logits.size(0));
  return {losses, logits.argmax(1), logarithms.exp().sub_(targets).div_(samples).to(at::kFloat)};
}

}  // namespace gcg
