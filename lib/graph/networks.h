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
  std::int64_t width = 0;  ///< of the first stage; 0: the network's default
  /// Share of the samples that lose the last block's branches in training, in [0, 1); those of
  /// earlier blocks are lost less often, in equal steps from 0 on.
  double stochastic_depth = 0;
};

/// One row of the table of networks.
struct NetworkEntry {
  std::string_view name;
  std::string_view about;      ///< one line for --list
  std::string_view reference;  ///< where it is described
  std::int64_t default_width = 0;
  Network (*build)(const NetworkRequest&);
  std::int64_t width_step = 1;    ///< widths are multiples of it
  bool stochastic_depth = false;  ///< whether it can be asked for
};

/// All networks, in the order of --list. To add one: write its function, add its row.
std::span<const NetworkEntry> network_table();

/// The row with this name. UsageError if there is none.
const NetworkEntry& network_entry(std::string_view name);

/// The operations that a network of the table uses, each once: the same for every input and width.
std::span<const Operation> network_operations(std::string_view name);

/// Builds the network with this name. Errors: an unknown name, an input or width that does not fit,
/// stochastic depth outside of [0, 1) or of a network without.
Network build_network(std::string_view name, NetworkRequest request);

}  // namespace gcg
