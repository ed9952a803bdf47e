#pragma once

#include <cstdint>
#include <vector>

#include "graph/network.h"

namespace gcg {

/// What running a node may do with the values it reads. Numbers are indexes of nodes.
struct NodeUse {
  bool in_place =
      false;  ///< may overwrite its first input: no other node and no derivative needs it
  std::vector<std::int32_t> last_reads{};  ///< values that nobody reads after this node
  bool operator==(const NodeUse&) const = default;
};

/// One per node, in the order in which a network is run.
std::vector<NodeUse> plan_uses(const Network& network);

}  // namespace gcg
