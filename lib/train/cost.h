#pragma once

#include <cstdint>

#include "graph/network.h"
#include "paths/sums.h"  // path_score_flops: the cost of a score without data
#include "record/run_record.h"
#include "topology/mask.h"

namespace gcg {

/// FLOPs by the convention of Evci et al. 2020 (appendix): a multiply-add is 2, backward is twice
/// forward, normalisation and loss are ignored.

/// One training step (forward and backward) on `samples` samples under a mask: 3 x forward.
double training_flops(const Network& network, const Mask& mask, std::int64_t samples);

/// Gradients at all positions: sparse forward, sparse input gradient, dense weight gradient.
double dense_gradient_flops(const Network& network, const Mask& mask, std::int64_t samples);

/// FLOPs of a run's work so far.
double recorded_flops(const CostRecord& cost);

/// Seconds of a run's work so far, in all its processes.
double recorded_seconds(const CostRecord& cost);

}  // namespace gcg
