#pragma once

#include <cstdint>

#include "base/random.h"
#include "graph/network.h"
#include "graph/parameters.h"
#include "topology/mask.h"

namespace gcg {

/// A mask of exactly `present` connections made by PHEW walks (Patil & Dovrolis 2021). Walks go
/// alternately forward from an input unit and backward from an output unit, with start units in
/// turn. The next unit is drawn with probability proportional to the sum of |w| between the two
/// units, and inside a kernel one tap with probability proportional to |w|. If a tensor has several
/// readers, a forward walk takes each with equal probability; at an addition a backward walk takes
/// either branch with probability 1/2. The last walk is cut so that the count is exact. `weights`
/// are dense initial weights.
///
/// In a transformer a walk passes only one of three projections and skips a block half of the time,
/// so walks from the ends alone leave gaps in wide hidden layers. In networks with attention, every
/// third walk therefore starts in both directions from the first unit, layer by layer, that no walk
/// has passed yet, as long as there is one.
///
/// Units are channels. An input that goes straight into a flatten has one unit per feature (pixel).
/// Before a linear layer, the features that a flatten makes of one channel are the taps of that
/// channel's kernel. Walks ignore positions and padding. The connections of a complete walk lie on
/// one path, so the mask for k connections contains the mask for k - 1, and all connections but
/// those of the cut last walk lie on a path.
///
/// Costs O(connections) to prepare and O(log units + taps) per step of a walk.
///
/// Errors: `patience` walks in a row without a new connection; a walk that cannot continue (all
/// weights zero) or non-finite weights (both name the layer); `present` outside of [1,
/// connections]; an addition of tensors with different numbers of features per channel.
Mask phew_mask(const Network& network, const Parameters& weights, std::int64_t present,
               RandomStream stream, std::int64_t patience = 10000);

}  // namespace gcg
