#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "executor/state.h"
#include "growth/sampling.h"
#include "score/path_score.h"
#include "topology/mask.h"

namespace gcg {

/// Picks `count` absent connections of the whole network by one law over all layers.
/// Returns the mask of the new connections only. Errors name layer and number.
Mask select_global(const Network& network, const Mask& mask, const Scores& scores,
                   std::int64_t count, const SamplingLaw& law, RandomStream stream);

/// The same with a fixed number per layer; `quotas` are the numbers of *new* connections.
Mask select_by_quota(const Network& network, const Mask& mask, const Scores& scores,
                     const std::vector<std::int64_t>& quotas, const SamplingLaw& law,
                     const RandomStream& stream);

/// New connections per layer that bring every layer as near as possible to a target allocation
/// (never fewer than present), with the exact sum `count`.
std::vector<std::int64_t> quotas_towards(const Network& network, const Mask& mask,
                                         const std::vector<std::int64_t>& target,
                                         std::int64_t count);

/// How a new weight starts.
enum class NewWeight : std::uint8_t { zero, initial, small_random };

/// Adds the selected connections to the state: mask bit, weight by `start` (zero; the value of
/// `initial`; normal noise of a tenth of the initial deviation), momentum zero. Weights that were
/// present keep their bits.
void add_connections(const Network& network, TrainingState& state, const Mask& added,
                     NewWeight start, const Parameters& initial, RandomStream stream);

/// Units (hidden, not of the last layer) that lack both sides after `added`: each gets one incoming
/// connection at its initial value and one outgoing at 0, drawn uniformly. Both count in the budget: the caller selects
/// the rest of the budget afterwards. Returns the two masks to add.
struct Repair {
  Mask incoming;  ///< to start at the initial value
  Mask outgoing;  ///< to start at 0
  std::int64_t connections = 0;
};
Repair repair_dead_units(const Network& network, const Mask& mask, RandomStream stream,
                         std::int64_t budget);

}  // namespace gcg
