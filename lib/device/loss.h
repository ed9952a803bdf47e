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

/// logits: [samples][classes] float; labels: [samples] long, in [0, classes); smoothing in [0, 1).
/// Without derivatives of LibTorch's own. `mean_over`: the samples of the whole batch if these are
/// a share of it; 0: these.
DeviceLoss device_loss(const at::Tensor& logits, const at::Tensor& labels, double smoothing,
                       std::int64_t mean_over = 0);

}  // namespace gcg
