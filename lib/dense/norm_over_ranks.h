#pragma once

#include <ATen/core/Tensor.h>

#include "dense/tensor_exchange.h"

namespace gcg {

/// Batch normalisation of x in fp32, [samples][channels][height][width], a rank's share of a batch
/// of `whole` samples, by the moments of all of it; with derivatives: those of scale and shift are
/// the share's part of them. The running statistics, unless undefined, move on.
at::Tensor norm_over_ranks(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift,
                           const at::Tensor& running_mean, const at::Tensor& running_variance,
                           TensorExchange& exchange, std::int64_t whole);

}  // namespace gcg
