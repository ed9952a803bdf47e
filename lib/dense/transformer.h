#pragma once

#include <ATen/core/Tensor.h>

#include "graph/network.h"

namespace gcg {

/// The operations of a vision transformer on tensors [samples][channels][tokens][1] of any strides,
/// made of what autograd can differentiate (twice, where the second derivative is asked for).
/// Features lie innermost in what they return.

/// A linear layer at every position; `bias` may be undefined.
at::Tensor linear_at_positions(const at::Tensor& x, const at::Tensor& weight,
                               const at::Tensor& bias);

/// An image [samples][channels][height][width] as tokens. class_token: [channels]; positions:
/// [channels][tokens].
at::Tensor make_tokens(const at::Tensor& x, const at::Tensor& class_token,
                       const at::Tensor& positions);

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift);

at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     std::int64_t heads);

/// [samples][channels][1][1]
at::Tensor first_token(const at::Tensor& x);

/// Every sample of x by its factor, [samples]; in the type of x.
at::Tensor scale_samples(const at::Tensor& x, const at::Tensor& factors);

}  // namespace gcg
