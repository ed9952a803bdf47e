#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "graph/network.h"

namespace gcg {

/// What a network is built for.
struct NetworkRequest {
  Shape input;
  std::int64_t classes = 10;
  std::int64_t width = 0;  ///< of the first stage; 0 asks for the network's own default
};

/// One row of the table of networks.
struct NetworkEntry {
  std::string_view name;
  std::string_view about;      ///< one line for --list
  std::string_view reference;  ///< where it is described
  std::int64_t default_width = 0;
  Network (*build)(const NetworkRequest&);
  std::int64_t width_step = 1;  ///< widths are multiples of it
};

/// Every network, in the order of --list. To add one: write its function, add its row.
std::span<const NetworkEntry> network_table();

/// The row of a name; an unknown one is an Error.
const NetworkEntry& network_entry(std::string_view name);

/// The operations a network of the table is made of, each once: the same for every input and width.
std::span<const Operation> network_operations(std::string_view name);

/// Looks the name up and builds. Unknown names and inputs that do not fit are Errors.
Network build_network(std::string_view name, NetworkRequest request);

}  // namespace gcg
