#pragma once

#include <cstdint>
#include <vector>

#include "backend/state.h"
#include "base/random.h"
#include "growth/seed.h"
#include "score/path_score.h"
#include "topology/mask.h"

namespace gcg {

/// The connections of `a` that are not in `b`, and all connections that are not in `mask`.
Mask without(Mask a, const Mask& b);
Mask absent(const Network& network, const Mask& mask);

/// The `count` candidates with the largest (smallest) scores in the whole network. Among equal
/// scores at the cut the stream draws. A score of 0 is the smallest of all and can still be taken.
/// O(N). Errors name layer and number: NaN, a count above the number of candidates.
Mask largest_scores(const Network& network, const Mask& candidates, const Scores& scores,
                    std::int64_t count, const RandomStream& stream);
Mask smallest_scores(const Network& network, const Mask& candidates, const Scores& scores,
                     std::int64_t count, const RandomStream& stream);

/// The same with a count per layer.
Mask largest_scores(const Network& network, const Mask& candidates, const Scores& scores,
                    const std::vector<std::int64_t>& counts, const RandomStream& stream);
Mask smallest_scores(const Network& network, const Mask& candidates, const Scores& scores,
                     const std::vector<std::int64_t>& counts, const RandomStream& stream);

/// A pruned mask, and what the policy did about layers that lost all their connections.
struct Pruned {
  Mask mask;
  std::int64_t repaired = 0;  ///< connections kept against their rank
  std::string warning;        ///< names the first such layer; empty if there is none
};

/// Keeps the `keep` connections of `mask` with the largest scores. If a layer loses all of its
/// connections: `fail` throws an Error that names the layer; `warn` sets the warning; `repair`
/// keeps the best connection of every such layer in place of the worst one kept in layers with two
/// or more, so that the count stays the same. A layer that had none before loses none.
Pruned prune(const Network& network, const Mask& mask, const Scores& scores, std::int64_t keep,
             DisconnectedPolicy policy, const RandomStream& stream);

/// Removes connections: mask bit, weight and slots. Error: a connection that is not present.
void remove_connections(const Network& network, TrainingState& state, const Mask& removed);

}  // namespace gcg
