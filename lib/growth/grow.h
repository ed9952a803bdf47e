#pragma once

#include <cstdint>
#include <vector>

#include "backend/state.h"
#include "base/random.h"
#include "growth/sampling.h"
#include "score/path_score.h"
#include "topology/mask.h"

namespace gcg {

/// Picks `count` absent connections of the whole network by one law over all layers. Returns a mask
/// of the new connections only. Errors name layer and number.
Mask select_global(const Network& network, const Mask& mask, const Scores& scores,
                   std::int64_t count, const SamplingLaw& law, RandomStream stream);

/// The same with a given number per layer: `quotas` counts *new* connections. Each layer has its
/// own stream, which depends on `stream` and the layer's index: layers do not influence each other.
Mask select_by_quota(const Network& network, const Mask& mask, const Scores& scores,
                     const std::vector<std::int64_t>& quotas, const SamplingLaw& law,
                     const RandomStream& stream);

/// Numbers of new connections per layer, with the exact sum `count`, that bring every layer as near
/// as possible to a target allocation (nothing is removed): in proportion to what each layer lacks;
/// once all have reached it, in proportion to the target, up to their capacities. Errors: a target
/// outside of its layer, a count above the absent connections.
std::vector<std::int64_t> quotas_towards(const Network& network, const Mask& mask,
                                         const std::vector<std::int64_t>& target,
                                         std::int64_t count);

/// The initial value of a new weight.
enum class NewWeight : std::uint8_t { zero, initial, small_random };

/// Adds the connections to the state: mask bit, weight by `start` (zero; the value in `initial`;
/// normal noise with a tenth of the initial deviation sqrt(2 / fan-in)), and empty optimiser slots.
/// Weights that were present keep their bits. Errors: a connection that is already present, sizes
/// that do not fit.
void add_connections(const Network& network, TrainingState& state, const Mask& added,
                     NewWeight start, const Parameters& initial, RandomStream stream);

/// Connections that revive units.
struct Repair {
  Mask incoming;  ///< starts at its initial value
  Mask outgoing;  ///< starts at 0
  std::int64_t connections = 0;
};

/// Connects hidden units that have no connection on either side under `mask`, as UnitDegrees counts
/// (growth/units.h): none in the unit's own row, and none that reads a tensor holding the unit; a
/// connection after an addition counts for all units of its channel, so a unit without inputs in a
/// residual branch whose sum is read is not repaired. In the order of layers and units, each gets
/// one incoming and one outgoing connection, drawn uniformly from those that exist (all absent),
/// while the budget has room for 2 more. What one unit gets counts for the units after it. The
/// caller selects the rest of the budget afterwards.
Repair repair_dead_units(const Network& network, const Mask& mask, RandomStream stream,
                         std::int64_t budget);

}  // namespace gcg
