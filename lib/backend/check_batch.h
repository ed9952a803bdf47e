#pragma once

#include <string_view>

#include "backend/executor.h"

namespace gcg {

/// Throws an Error that names the network, `call` and what is wrong: no samples, images of another
/// size, a label outside [0, classes), or, in `training`, a normalisation with a single value.
/// Placements will do for images where the executor `holds` some.
void check_batch(const Network& network, std::string_view call, const Batch& batch, bool training,
                 bool holds = false);

/// Throws an Error that names network and call if the batch is a share and there are no ranks, or
/// not those that it is one of.
void check_share(const Network& network, std::string_view call, const Batch& batch,
                 const Ranks* ranks);

/// Throws an Error that names network and call if `each` has room for another number of samples.
void check_room(const Network& network, std::string_view call, const Batch& batch,
                const PerSample& each);

}  // namespace gcg
