#pragma once

#include <cstdint>

#include "base/random.h"
#include "graph/network.h"
#include "graph/parameters.h"
#include "topology/mask.h"

namespace gcg {

/// A mask of exactly `present` connections from PHEW walks (Patil & Dovrolis 2021): alternately
/// forward from an input unit and backward from an output unit, start units in round-robin, the
/// next unit with probability proportional to the sum of |w| between the two units, inside a kernel
/// one tap with probability proportional to |w|. Where a tensor has several readers a forward walk
/// takes each with the same probability; at an addition a backward walk takes either branch with
/// probability 1/2. The last walk is cut so that the count is exact. `weights` are dense initial
/// weights.
///
/// A walk through a transformer passes one of three projections and leaves a block out half of the
/// times, so that walks from the ends alone leave wide hidden layers with gaps. Where there is
/// attention, every third walk starts in both directions from the first unit, layer by layer, that
/// no walk has passed, as long as there is one.
///
/// Units are channels; an input that goes straight into a flatten has one unit per feature (pixel),
/// and in front of a linear layer the features that a flatten makes of one channel are the taps of
/// that channel's kernel. Walks do not look at positions or padding. The connections of a complete
/// walk lie on one path; so the mask for k connections contains the mask for k - 1, and all but
/// those of the cut last walk lie on a path.
///
/// O(connections) to prepare, O(log units + taps) per step of a walk.
///
/// Errors: `patience` walks in a row without a new connection; a walk that cannot go on (all
/// weights zero) or weights that are not finite (both name the layer); present outside of [1,
/// connections]; an addition of tensors with different numbers of features per channel.
Mask phew_mask(const Network& network, const Parameters& weights, std::int64_t present,
               RandomStream stream, std::int64_t patience = 10000);

}  // namespace gcg
