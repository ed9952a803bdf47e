#pragma once

#include <cstdint>
#include <span>

#include "backend/executor.h"

namespace gcg {

/// Softmax cross-entropy (natural logarithm) of logits [samples][classes], as sums over the samples
/// in double precision. There are labels.size() samples; labels must be in [0, classes) (not
/// checked here). If `gradient` is not empty it gets the gradient of the *mean* loss by the logits:
/// (softmax - target) / samples, or / `mean_over` if these are a share of that many samples. The
/// target of a sample is 1 - smoothing at its label, plus smoothing / classes at every class;
/// smoothing is in [0, 1). Non-empty spans of `each` need one element per sample. Non-finite logits
/// give a non-finite loss.
BatchSums softmax_loss(std::span<const float> logits, std::span<const std::int32_t> labels,
                       double smoothing, std::span<float> gradient, const PerSample& each,
                       std::int64_t mean_over = 0);

}  // namespace gcg
