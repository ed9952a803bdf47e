#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "graph/network.h"
#include "topology/mask.h"

namespace gcg {

/// One connection: its layer and its index in that layer's weight array.
struct Connection {
  std::int32_t layer = 0;
  std::int64_t index = 0;
};

/// The present connections on either side of every unit (output channel u of maskable layer l,
/// before any addition).
///
/// incoming[l][u]: the present connections of layer l into u, which are those of its own row; what
/// other branches add to the same channel later does not count.
/// outgoing[l][u]: the present connections, of any maskable layer, that read a tensor holding u:
/// after norm, activation, pooling or flatten, or after an addition, where they count for every
/// unit that shares the channel.
///
/// The units of a layer without readers (the classifier) are outputs; all others are hidden. If
/// every unit has an incoming and every hidden unit an outgoing connection, every unit is on an
/// input-output path, except for effects of positions and padding.
struct UnitDegrees {
  std::vector<std::vector<std::int32_t>> feeders;  ///< per layer: the layers whose units it reads
  std::vector<std::vector<std::int32_t>> readers;  ///< per layer: the layers that read its units
  std::vector<std::vector<std::int64_t>> incoming;
  std::vector<std::vector<std::int64_t>> outgoing;
};

UnitDegrees unit_degrees(const Network& network, const Mask& mask);

/// Adds `change` to the degrees of the units at both ends of a connection.
void change_degrees(UnitDegrees& degrees, const Network& network, const Connection& connection,
                    std::int64_t change);

/// Whether the units at both ends keep another connection on that side when this one is removed.
bool is_surplus(const UnitDegrees& degrees, const Network& network, const Connection& connection);

/// Draws one of the connections into a unit, uniformly.
Connection draw_incoming(const Network& network, std::int32_t layer, std::int64_t unit,
                         RandomStream& stream);

/// Draws one of the connections that read a hidden unit, uniformly.
Connection draw_outgoing(const UnitDegrees& degrees, const Network& network, std::int32_t layer,
                         std::int64_t unit, RandomStream& stream);

}  // namespace gcg
