#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace gcg {

/// Softmax cross-entropy (natural logarithm) of every sample, computed in double precision.
struct DeviceLoss {
  at::Tensor losses;    ///< [samples] double
  at::Tensor classes;   ///< [samples] long: of the largest logit, the first one of equals
  at::Tensor gradient;  ///< of the mean loss: [samples][classes] float
};

/// logits: [samples][classes] float; labels: [samples] long, in [0, classes). Without derivatives
/// of LibTorch's own. `mean_over`: of a share of a batch the samples of all of it; 0: these.
DeviceLoss device_loss(const at::Tensor& logits, const at::Tensor& labels,
                       std::int64_t mean_over = 0);

}  // namespace gcg
