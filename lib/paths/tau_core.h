#pragma once

#include <cstdint>

#include "graph/network.h"
#include "graph/parameters.h"
#include "paths/sums.h"
#include "topology/mask.h"

namespace gcg {

/// A set of hidden units that covers a share tau of the total path weight, found greedily: take the
/// unit with the largest complexity x generality summed over positions, remove its paths and
/// recompute, until the set covers tau (up to 1e-12, for rounding). Its size is an upper bound on
/// the smallest such set (the hourglass measure of Sabrin & Dovrolis). A hidden unit is an output
/// channel of a maskable layer, before any addition; layers that reach the output without passing
/// another layer (the classifier) have none.
struct TauCore {
  std::int64_t units = 0;  ///< size of the set found
  /// The covered share of path weight: at least tau, unless some paths avoid all hidden units.
  double covered = 0;
};

/// Errors: tau outside of (0, 1), and those of path_sums(). A network without paths has an empty
/// core that covers 0. Exact with few sweeps: see the note on lazy evaluation in the source file.
TauCore tau_core(const Network& network, const Parameters& parameters, const Mask& mask, double tau,
                 const PathOptions& options = {});

/// The number of units of the narrowest hidden maskable layer, to which the core's size is
/// compared; 0 if there is none.
std::int64_t narrowest_layer(const Network& network);

}  // namespace gcg
