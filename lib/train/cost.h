#pragma once

#include <cstdint>

#include "graph/network.h"
#include "paths/sums.h"  // path_score_flops: the cost of a score without data
#include "record/run_record.h"
#include "topology/mask.h"

namespace gcg {

/// FLOPs by the convention of Evci et al. 2020 (appendix): a multiply-add is 2, backward is twice
/// forward, normalisation and loss are ignored.

/// One training step (forward and backward) of `samples` samples under a mask: 3 x forward.
double training_flops(const Network& network, const Mask& mask, std::int64_t samples);

/// One gradient at every position: sparse forward, sparse input gradient, dense weight gradient.
double dense_gradient_flops(const Network& network, const Mask& mask, std::int64_t samples);

/// FLOPs of the work of a run so far.
double recorded_flops(const CostRecord& cost);

/// Seconds of the work of a run so far, of all its processes.
double recorded_seconds(const CostRecord& cost);

}  // namespace gcg
