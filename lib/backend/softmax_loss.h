#pragma once

#include <cstdint>
#include <span>

#include "backend/executor.h"

namespace gcg {

/// What the logits of a batch are compared with. The target of a sample is 1 - second_share at its
/// label and second_share at its second label, if there are any, of which then the share
/// `smoothing` is spread evenly over the classes. Labels are in [0, classes), the shares as
/// check_batch() has them.
struct SoftTargets {
  std::span<const std::int32_t> labels;
  double smoothing = 0;
  std::span<const std::int32_t> second_labels{};
  double second_share = 0;
};

/// Those of a batch in training.
SoftTargets training_targets(const Batch& batch);

/// Softmax cross-entropy (natural logarithm) of logits [samples][classes], as sums over the samples
/// in double precision. If `gradient` is not empty it gets the gradient of the *mean* loss by the
/// logits: (softmax - target) / samples, or / `mean_over` if these are a share of that many
/// samples. Non-empty spans of `each` need one element per sample. Non-finite logits give a
/// non-finite loss.
BatchSums softmax_loss(std::span<const float> logits, const SoftTargets& targets,
                       std::span<float> gradient, const PerSample& each,
                       std::int64_t mean_over = 0);

}  // namespace gcg
