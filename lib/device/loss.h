#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace gcg {

/// Softmax cross-entropy (natural logarithm) of every sample, computed in double precision, as
/// softmax_loss of the other backends.
struct DeviceLoss {
  at::Tensor losses;    ///< [samples] double
  at::Tensor classes;   ///< [samples] long: of the largest logit, the first one of equals
  at::Tensor gradient;  ///< of the mean loss: [samples][classes] float
};

/// As SoftTargets.
struct DeviceTargets {
  at::Tensor labels;           ///< [samples] long, in [0, classes)
  double smoothing = 0;        ///< in [0, 1)
  at::Tensor second_labels{};  ///< as labels; undefined: none
  at::Tensor second_share{};   ///< one double
};

/// logits: [samples][classes] float. Without derivatives of LibTorch's own. `mean_over`: the
/// samples of the whole batch if these are a share of it; 0: these.
DeviceLoss device_loss(const at::Tensor& logits, const DeviceTargets& targets,
                       std::int64_t mean_over = 0);

}  // namespace gcg
