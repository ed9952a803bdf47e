#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "graph/network.h"

namespace gcg {

/// Name of the file with the layer graph in a run's folder.
inline constexpr const char* kNetworkFileName = "network.json";

/// Version of its format and of the archive that gcg_export writes; raised with every change of
/// what older files hold. A new operation is none: files without it stay as they are, and a reader
/// that does not know it refuses it by its name.
inline constexpr std::int64_t kNetworkFileVersion = 2;

/// Where a layer graph comes from.
struct NetworkOrigin {
  std::string run;          ///< name of the run; empty: no run
  std::int64_t stage = -1;  ///< stage of the state beside it; -1: the run's end or no state
};

/// A layer graph as JSON, for programs in other languages and for parse_network: name, input
/// (channels, height, width) and nodes in topological order, without the input. A node has name,
/// operation (operation_name) and inputs (numbers of earlier nodes; 0 is the input, n the n-th
/// node); convolutions and linear layers also channels (of the output) and bias; convolutions and
/// poolings window (height, width, stride, padding); attention heads; drop_path rate. Further
/// members: version, run, stage, and sha256, the checksum of all other members as JSON without
/// blanks, keys in order.
std::string network_text(const Network& network, const NetworkOrigin& origin = {});

/// Rebuilds the network from such a text with NetworkBuilder, which checks every shape. Errors name
/// `where`: not JSON, another version, a checksum that does not match, missing or malformed
/// members, numbers out of range, another run than `run` (if that is not empty).
Network parse_network(const std::string& where, std::string_view text, std::string_view run = {});

}  // namespace gcg
