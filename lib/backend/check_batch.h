#pragma once

#include <string_view>

#include "backend/executor.h"

namespace gcg {

/// Throws an Error that names the network, `call` and the fault: no samples, images of another
/// size, a label outside [0, classes), a share outside of its range, second labels or factors of
/// branches of another number, or, in `training`, a batch norm with one value per channel.
/// Placements, with bytes or without, may replace images if the executor `holds` what they place.
void check_batch(const Network& network, std::string_view call, const Batch& batch, bool training,
                 bool holds = false);

/// Throws an Error that names network and call if the batch is a share and there are no ranks, or
/// not those that it is one of.
void check_share(const Network& network, std::string_view call, const Batch& batch,
                 const Ranks* ranks);

/// Throws an Error that names network and call if a span of `each` has another size than the batch.
void check_room(const Network& network, std::string_view call, const Batch& batch,
                const PerSample& each);

}  // namespace gcg
