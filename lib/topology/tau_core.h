#pragma once

#include <cstdint>

#include "graph/network.h"
#include "graph/parameters.h"
#include "topology/mask.h"
#include "topology/path_sums.h"

namespace gcg {

/// A set of hidden units that covers a share tau of the total path weight, found greedily: take the
/// unit (output channel of a maskable layer but the last) with the largest complexity x generality
/// summed over positions, remove its paths, recompute, until the remaining path weight is at most 1
/// - tau of the first. An upper bound on the smallest such set (the hourglass measure of Sabrin &
/// Dovrolis).
struct TauCore {
  std::int64_t units = 0;  ///< size of the set found
  double covered = 0;      ///< share of the path weight it covers, >= tau
};

/// tau in (0, 1). A network without any path has an empty core that covers 0.
TauCore tau_core(const Network& network, const Parameters& parameters, const Mask& mask, double tau,
                 const PathOptions& options = {});

/// Hidden units of the narrowest hidden maskable layer: what the core's size is shown relative to.
std::int64_t narrowest_layer(const Network& network);

}  // namespace gcg
