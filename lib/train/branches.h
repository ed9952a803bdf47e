#pragma once

#include <cstdint>
#include <vector>

#include "backend/ranks.h"
#include "base/random.h"
#include "graph/network.h"

namespace gcg {

/// Batch::branch_factors of a share of a batch of `samples`: for every drop_path node of the
/// network [nodes][share], 0 with the node's rate as probability, else 1 / (1 - rate). Every sample
/// of the whole batch draws, so that shares are those of the whole batch.
std::vector<float> draw_branch_factors(const Network& network, std::int64_t samples, Share share,
                                       RandomStream stream);

}  // namespace gcg
