#pragma once

#include <ATen/core/Tensor.h>

namespace gcg {

/// relu(batch norm of x + shortcut) with its derivative as one node of the autograd graph. Tensors
/// of images are channels-last, [samples][channels][height][width].
struct FusedNorm {
  at::Tensor scale;             ///< gamma, [channels]
  at::Tensor shift;             ///< beta, [channels]
  at::Tensor running_mean;      ///< [channels]; undefined: not updated (training mode only)
  at::Tensor running_variance;  ///< likewise
  bool relu = false;
};

/// Training mode: statistics of the batch; updates the running ones as graph/parameters.h says.
/// `shortcut` may be undefined.
at::Tensor norm_training(const FusedNorm& norm, const at::Tensor& x, const at::Tensor& shortcut);

/// Evaluation mode: running statistics; without derivative.
at::Tensor norm_evaluation(const FusedNorm& norm, const at::Tensor& x, const at::Tensor& shortcut);

}  // namespace gcg
