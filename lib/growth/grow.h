#pragma once

#include <cstdint>
#include <vector>

#include "backend/state.h"
#include "base/random.h"
#include "growth/sampling.h"
#include "score/path_score.h"
#include "topology/mask.h"

namespace gcg {

/// Picks `count` absent connections of the whole network by one law over all layers.
/// Returns the mask of the new connections only. Errors name layer and number.
Mask select_global(const Network& network, const Mask& mask, const Scores& scores,
                   std::int64_t count, const SamplingLaw& law, RandomStream stream);

/// The same with a fixed number per layer; `quotas` are the numbers of *new* connections. Every
/// layer has a stream of its own that depends on `stream` and its index: layers are independent.
Mask select_by_quota(const Network& network, const Mask& mask, const Scores& scores,
                     const std::vector<std::int64_t>& quotas, const SamplingLaw& law,
                     const RandomStream& stream);

/// New connections per layer that bring every layer as near as possible to a target allocation
/// (never fewer than present), with the exact sum `count`: in proportion to what each layer lacks;
/// what is left once all have reached the target goes on to the layers' capacities in proportion to
/// the target. Errors: a target outside of its layer, a count above the absent connections.
std::vector<std::int64_t> quotas_towards(const Network& network, const Mask& mask,
                                         const std::vector<std::int64_t>& target,
                                         std::int64_t count);

/// How a new weight starts.
enum class NewWeight : std::uint8_t { zero, initial, small_random };

/// Adds the selected connections to the state: mask bit, weight by `start` (zero; the value of
/// `initial`; normal noise of a tenth of the initial deviation sqrt(2 / fan-in)), momentum zero.
/// Weights that were present keep their bits. Errors: a connection that is present already, sizes
/// that do not fit.
void add_connections(const Network& network, TrainingState& state, const Mask& added,
                     NewWeight start, const Parameters& initial, RandomStream stream);

/// Connections that revive units.
struct Repair {
  Mask incoming;  ///< to start at the initial value
  Mask outgoing;  ///< to start at 0
  std::int64_t connections = 0;
};

/// Hidden units that lack both sides under `mask`, as counted by UnitDegrees (growth/units.h): no
/// present connection in the unit's own row, and none that reads a tensor holding the unit, where a
/// connection behind an addition counts for every unit of its channel. So a unit without inputs in
/// a residual branch whose sum is read does not lack both sides. In the order of layers and units
/// each gets one incoming and one outgoing connection, drawn uniformly among those that exist (none
/// is present), as long as 2 more fit the budget; what one unit gets counts for the units after it.
/// The caller selects the rest of the budget afterwards.
Repair repair_dead_units(const Network& network, const Mask& mask, RandomStream stream,
                         std::int64_t budget);

}  // namespace gcg
