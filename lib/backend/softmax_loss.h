#pragma once

#include <cstdint>
#include <span>

#include "backend/executor.h"

namespace gcg {

/// Softmax cross-entropy (natural logarithm) of logits [samples][classes], sums over the samples,
/// in double precision. labels.size() gives the number of samples; every label must be in [0,
/// classes) (not checked here). `gradient`, if not empty, receives the gradient of the *mean* loss
/// with respect to the logits: (softmax - target) / samples. The target of a sample is 1 -
/// smoothing at its label plus smoothing / classes everywhere; smoothing is in [0, 1). What `each`
/// asks for has an element per sample. Logits that are not finite give a loss that is not.
BatchSums softmax_loss(std::span<const float> logits, std::span<const std::int32_t> labels,
                       double smoothing, std::span<float> gradient, const PerSample& each);

}  // namespace gcg
