#pragma once

#include <cstdint>
#include <span>

#include "backend/executor.h"

namespace gcg {

/// Softmax cross-entropy (natural logarithm) of logits [samples][classes], sums over the samples,
/// in double precision. labels.size() gives the number of samples; every label must be in [0,
/// classes) (not checked here). `gradient`, if not empty, receives the gradient of the *mean* loss
/// with respect to the logits: (softmax - one hot) / samples, or / `mean_over` if these are a share
/// of so many samples. What `each` asks for has an element per sample. Logits that are not finite
/// give a loss that is not.
BatchSums softmax_loss(std::span<const float> logits, std::span<const std::int32_t> labels,
                       std::span<float> gradient, const PerSample& each,
                       std::int64_t mean_over = 0);

}  // namespace gcg
