#pragma once

#include <cstdint>
#include <span>

#include "executor/executor.h"
#include "sparse/layout.h"

namespace gcg::sparse {

/// Softmax cross-entropy of logits in blocks, in double precision: sums over the samples. Writes
/// the gradient of the *mean* loss with respect to the logits to `gradient`, if that is not empty
/// (lanes without a sample: zero), and the class of the largest logit, the first of equals, to
/// `predictions`, if that is not empty. `scratch` has room for one number a class.
BatchSums softmax_loss(const Layout& layout, const Tensor& logits,
                       std::span<const std::int32_t> labels, std::span<double> scratch,
                       std::span<Position> gradient, std::span<std::int32_t> predictions);

}  // namespace gcg::sparse
