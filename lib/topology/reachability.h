#pragma once

#include <cstdint>
#include <vector>

#include "graph/network.h"
#include "topology/mask.h"

namespace gcg {

/// What Boolean passes over the layer graph find (no product, which could underflow). A unit is an
/// output channel of a maskable layer, before any addition; it is reached or read if any of its
/// positions is. Passes run over positions with the real padding and stride, so a tap that only
/// reads padding carries no path.
struct Reachability {
  /// Per layer: connections on at least one input-output path of present connections.
  std::vector<LayerMask> effective;
  /// Per layer: output units that no input reaches.
  std::vector<std::vector<bool>> unreached_units;
  /// Per layer: output units from which no output can be reached.
  std::vector<std::vector<bool>> unread_units;
  /// Per layer: input channels with no present connection on a path.
  std::vector<std::vector<bool>> dead_inputs;
  /// The smallest number of live channels (reached and read) among
  /// the tensors that every input-output path crosses (single-node
  /// cuts of the layer graph), without input and output. If a
  /// network has no such tensor, its live logits are counted.
  std::int64_t fewest_live_channels = 0;

  /// Units on no path: unreached, unread, or reached and read only at different positions.
  [[nodiscard]] std::int64_t disconnected_units() const;
  /// effective connections / all connections.
  [[nodiscard]] double effective_density() const;
};

/// One pass from the input and one from the output: O(present x output positions / 64). Branches
/// unite; a pooled position is reached if any position of its window is; biases, class token and
/// position table carry no path. Attention: channel c is reached at every token if channel c of Q,
/// K or V is reached at any token. Errors: a mask that does not fit the network.
Reachability reachability(const Network& network, const Mask& mask);

/// The same number without computing the rest.
std::int64_t fewest_live_channels(const Network& network, const Mask& mask);

}  // namespace gcg
