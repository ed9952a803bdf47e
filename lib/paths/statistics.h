#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "graph/network.h"
#include "graph/parameters.h"
#include "topology/mask.h"

namespace gcg {

/// Statistics of one layer's mask.
struct LayerStatistics {
  std::int64_t present = 0;
  std::int64_t effective = 0;     ///< present connections on an input-output path
  std::int64_t dead_inputs = 0;   ///< input channels that carry no path
  std::int64_t dead_outputs = 0;  ///< output units that carry no path
  double overlap_previous = 0;    ///< Jaccard index with the previous stage; NaN at the first
  std::int64_t ever_present = 0;  ///< connections present at this or any earlier stage
  /// What an allocation asked for in this layer: the real number (NaN if no allocation made the
  /// mask) and the integer (-1 if none). Not a measure: the caller who knows it sets it.
  double wanted = std::numeric_limits<double>::quiet_NaN();
  std::int64_t integer = -1;
  std::vector<std::int32_t> in_degree;   ///< per output unit: present incoming connections
  std::vector<std::int32_t> out_degree;  ///< per input channel: present outgoing connections
};

/// Statistics of a network's mask at one stage.
struct MaskStatistics {
  std::vector<LayerStatistics> layers;
  std::int64_t present = 0;
  double density = 0;
  double effective_density = 0;
  std::int64_t disconnected_units = 0;  ///< the sum of dead_outputs
  std::int64_t fewest_live_channels = 0;
  double overlap_previous = 0;       ///< Jaccard index over all layers; NaN at the first stage
  double ever_present_share = 0;     ///< ever present / all connections
  double log_path_norm = 0;          ///< natural logarithm
  double log_path_kernel_trace = 0;  ///< natural logarithm
  double inference_flops = 0;        ///< one sample
  std::int64_t tau_core_units = 0;
  /// For a random mask: each layer's present connections, with their weights, at random positions.
  std::int64_t tau_core_units_random = 0;
  std::int64_t narrowest_layer = 0;  ///< units
};

struct StatisticsRequest {
  double tau = 0.9;
  std::uint64_t seed = 0;   ///< of the random mask's stream "statistics-random-mask"
  std::uint64_t stage = 0;  ///< index of that stream
};

/// All measures of one mask except its tau-core, which is the most expensive. Arguments and errors:
/// as below.
MaskStatistics mask_measures(const Network& network, const Parameters& parameters, const Mask& mask,
                             const Mask* previous, const Mask& ever);

/// All measures of one mask. `previous` may be null (first stage); `ever` is the union of this mask
/// and those of all earlier stages. Errors: sizes that do not fit the network, a union that lacks
/// connections of `mask`, and those of path_sums and tau_core.
MaskStatistics mask_statistics(const Network& network, const Parameters& parameters,
                               const Mask& mask, const Mask* previous, const Mask& ever,
                               const StatisticsRequest& request);

}  // namespace gcg
