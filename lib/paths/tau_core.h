#pragma once

#include <cstdint>

#include "graph/network.h"
#include "graph/parameters.h"
#include "paths/sums.h"
#include "topology/mask.h"

namespace gcg {

/// A set of hidden units that covers a share tau of the total path weight, found greedily: take the
/// unit with the largest complexity x generality summed over positions, remove its paths,
/// recompute, until the set covers tau (up to 1e-12, for rounding). An upper bound on the smallest
/// such set (the hourglass measure of Sabrin & Dovrolis). A hidden unit is an output channel of a
/// maskable layer, before any addition, but of layers that reach the output without another one
/// (the classifier).
struct TauCore {
  std::int64_t units = 0;  ///< size of the set found
  /// Share of the path weight it covers: at least tau, unless paths avoid all hidden units.
  double covered = 0;
};

/// tau in (0, 1), else an Error; other errors as of path_sums(). A network without any path has an
/// empty core that covers 0. Exact, and yet few sweeps: see the note on lazy evaluation inside.
TauCore tau_core(const Network& network, const Parameters& parameters, const Mask& mask, double tau,
                 const PathOptions& options = {});

/// Units of the narrowest hidden maskable layer, what the core's size is shown relative to; 0 if
/// there is none.
std::int64_t narrowest_layer(const Network& network);

}  // namespace gcg
