#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "growth/seed.h"
#include "train/method.h"

namespace gcg {

/// The scores that rank present connections, in the order of the table of scores.
std::vector<std::string> pruning_score_names();

/// Keeps the `keep` connections of the network with the largest scores of that rule; an Error or a
/// warning where a layer loses all, by the policy. `number` keys the stream of ties and the batch
/// of images that a score looks at; sweeps and gradients are counted. Returns what StageRow::scores
/// says of it.
std::string prune_by_score(MethodContext& context, std::string_view rule, std::int64_t keep,
                           DisconnectedPolicy policy, std::uint64_t number);

}  // namespace gcg
