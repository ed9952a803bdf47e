#pragma once

#include <cstdint>
#include <vector>

#include "graph/network.h"

namespace gcg {

/// A node, or a normalisation together with the ReLU behind it, or with the addition and the ReLU
/// behind that. Numbers are indexes of nodes.
struct FusedNode {
  std::int32_t node = 0;    ///< what is computed; of fused nodes the normalisation
  std::int32_t input = 0;   ///< first input of `node`
  std::int32_t other = -1;  ///< second input of an addition, alone or fused; -1: none
  bool relu = false;        ///< a fused ReLU ends it
  std::int32_t output = 0;  ///< the node whose value results
  bool operator==(const FusedNode&) const = default;
};

/// The order in which a network is run, its input left out. Nodes are fused where nothing else
/// reads the values in between. A fused node stands where its last one stood: all it reads is there
/// by then. Where both inputs of an addition are normalisations, the later one takes it up.
std::vector<FusedNode> fuse(const Network& network);

}  // namespace gcg
