#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "graph/network.h"

namespace gcg {

/// Name of the file with the layer graph within a run's folder.
inline constexpr const char* kNetworkFileName = "network.json";

/// Version of its form and of the archive that gcg_export writes; raised by every change that a
/// reader can see.
inline constexpr std::int64_t kNetworkFileVersion = 2;

/// Where a layer graph belongs.
struct NetworkOrigin {
  std::string run;          ///< name of the run; empty: of none
  std::int64_t stage = -1;  ///< whose state lies beside it; -1: the end of the run, or no state
};

/// A layer graph as JSON, for programs in other languages and for parse_network: name, input
/// (channels, height, width) and nodes in topological order, the input left out. A node has name,
/// operation (operation_name) and inputs (numbers of earlier nodes; 0 is the input, n the n-th
/// node); convolutions and linear layers channels (of the output) and bias; convolutions and
/// poolings window (height, width, stride, padding); attention heads. Beside them version, run,
/// stage and sha256: the checksum of the other members as JSON without blanks, keys in order.
std::string network_text(const Network& network, const NetworkOrigin& origin = {});

/// The network of such a text, built anew with NetworkBuilder, which checks every shape. Errors
/// name `where`: no JSON, another version, a checksum that does not match, missing or misshapen
/// members, numbers out of range, the graph of another run than `run` (if that is not empty).
Network parse_network(const std::string& where, std::string_view text, std::string_view run = {});

}  // namespace gcg
