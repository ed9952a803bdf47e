#pragma once

#include <cstdint>
#include <vector>

#include "backend/state.h"
#include "base/random.h"
#include "growth/seed.h"
#include "score/path_score.h"
#include "topology/mask.h"

namespace gcg {

/// Connections of `a` that are not in `b`; of all that are not in `mask`.
Mask without(Mask a, const Mask& b);
Mask absent(const Network& network, const Mask& mask);

/// The `count` candidates with the largest (smallest) scores of the whole network. Which of equal
/// scores at the edge are taken is drawn from the stream; a score of 0 is the smallest of all and
/// can be taken. O(N). Errors name layer and number: NaN, a count above the candidates.
Mask largest_scores(const Network& network, const Mask& candidates, const Scores& scores,
                    std::int64_t count, const RandomStream& stream);
Mask smallest_scores(const Network& network, const Mask& candidates, const Scores& scores,
                     std::int64_t count, const RandomStream& stream);

/// The same with a number per layer.
Mask largest_scores(const Network& network, const Mask& candidates, const Scores& scores,
                    const std::vector<std::int64_t>& counts, const RandomStream& stream);
Mask smallest_scores(const Network& network, const Mask& candidates, const Scores& scores,
                     const std::vector<std::int64_t>& counts, const RandomStream& stream);

/// A mask that was pruned, and what the policy made of layers left without any connection.
struct Pruned {
  Mask mask;
  std::int64_t repaired = 0;  ///< connections kept against their rank
  std::string warning;        ///< which layer first; empty if no layer collapsed
};

/// Keeps the `keep` connections of `mask` with the largest scores. Where that leaves a layer with
/// none: fail is an Error that names the layer; warn tells it; repair keeps the best connection of
/// every such layer instead of the worst that is kept elsewhere (in a layer with two or more), the
/// count unchanged.
Pruned prune(const Network& network, const Mask& mask, const Scores& scores, std::int64_t keep,
             DisconnectedPolicy policy, const RandomStream& stream);

/// Takes connections away: mask bit, weight and slot. Error: one that is not present.
void remove_connections(const Network& network, TrainingState& state, const Mask& removed);

}  // namespace gcg
