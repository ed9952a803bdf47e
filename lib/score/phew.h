#pragma once

#include <cstdint>

#include "base/random.h"
#include "graph/network.h"
#include "graph/parameters.h"
#include "topology/mask.h"

namespace gcg {

/// A mask of exactly `present` connections from PHEW walks (Patil & Dovrolis 2021): alternately
/// forward from an input unit and backward from an output unit, start units in round-robin, the next
/// unit with probability proportional to the sum of |w| between the two units, inside a kernel one tap
/// with probability proportional to |w|; at an addition either branch with probability 1/2. The last
/// walk is cut so that the count is exact. `weights` are dense initial weights.
///
/// Errors: `patience` walks in a row without a new connection; a walk that cannot go on (all weights
/// zero, names the layer); present outside of [1, connections].
Mask phew_mask(const Network& network, const Parameters& weights, std::int64_t present,
               RandomStream stream, std::int64_t patience = 10000);

}  // namespace gcg
