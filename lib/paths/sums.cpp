#include "paths/sums.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/index.h"
#include "paths/kernels.h"
#include "paths/planes.h"
#include "paths/sweep.h"

namespace gcg {

namespace {

double log_scale(std::int64_t exponent) { return static_cast<double>(exponent) * std::log(2.0); }

double log_of_sum(const BinaryScaled& array) {
  double sum = 0;
  for (const double value : array.values) {
    sum += value;
  }
  return std::log(sum) + log_scale(array.exponent);
}

void check_sizes(const Network& network, const PathSums& sums) {
  const auto check = [&](const std::vector<ScaledArray>& arrays) {
    bool fits = arrays.size() == network.nodes.size();
    for (std::size_t n = 0; fits && n < arrays.size(); ++n) {
      fits = std::ssize(arrays[n].values) == network.nodes[n].shape.elements();
    }
    if (!fits) {
      throw Error(network.name, "these path sums are of another network");
    }
  };
  check(sums.complexity);
  check(sums.generality);
}

/// The generality of kColumnTile channels from `first` on, as correlate() wants it: all channels of
/// a position side by side; channels behind the last are left as they are.
void pack_columns(const Shape& shape, std::span<const double> generality, std::int64_t first,
                  std::int64_t count, std::vector<double>& columns) {
  for (std::int64_t c = 0; c < count; ++c) {
    const double* from = generality.data() + (first + c) * shape.positions();
    for (std::int64_t p = 0; p < shape.positions(); ++p) {
      columns[at(p * kColumnTile + c)] = from[p];
    }
  }
}

std::size_t source_of(const Network& network, const Layer& layer) {
  return at(network.nodes[at(layer.node)].inputs[0]);
}

/// Buffers of layer_path_sums(), kept to be allocated once.
struct Scratch {
  std::vector<double> planes;
  std::vector<double> columns;
};

/// Of every connection of a layer, present or absent: the weight gradient of a batch of one.
std::vector<double> layer_path_sums(const Network& network, const Layer& layer,
                                    std::span<const double> complexity,
                                    std::span<const double> generality, Scratch& scratch) {
  const PlaneLayout layout = plane_layout(network, layer);
  const Shape& output = layout.output;
  const std::vector<std::uint32_t> offsets = tap_offsets(layout);
  fill_planes(layout, complexity, scratch.planes);
  scratch.columns.assign(at(output.positions() * kColumnTile), 0.0);
  std::vector<double> sums(at(layer.connections()));
  for (std::int64_t o = 0; o < layer.outputs; o += kColumnTile) {
    const std::int64_t count = std::min(kColumnTile, layer.outputs - o);
    pack_columns(output, generality, o, count, scratch.columns);
    correlate(offsets, scratch.planes.data(), {output.height, output.width, layout.pitch},
              scratch.columns.data(), count, sums.data() + o * layer.fan_in(), layer.fan_in());
  }
  return sums;
}

/// Per node the last node that reads it (itself where none does).
std::vector<std::size_t> last_readers(const Network& network) {
  std::vector<std::size_t> last(network.nodes.size());
  for (std::size_t n = 0; n < last.size(); ++n) {
    last[n] = n;
    for (const std::int32_t input : network.nodes[n].inputs) {
      last[at(input)] = n;
    }
  }
  return last;
}

/// Whether node n is the last to read its first input, and reads it once.
bool is_last_use(const Network& network, const std::vector<std::size_t>& last, std::size_t n) {
  const std::vector<std::int32_t>& inputs = network.nodes[n].inputs;
  return !inputs.empty() && last[at(inputs[0])] == n &&
         std::count(inputs.begin(), inputs.end(), inputs[0]) == 1;
}

}  // namespace

PathSums path_sums(const Network& network, const Parameters& parameters, const Mask& mask,
                   const PathOptions& options) {
  PathSweep sweep(network, parameters, mask, options);
  const std::size_t nodes = network.nodes.size();
  std::vector<BinaryScaled> complexity(nodes);
  std::vector<BinaryScaled> generality(nodes);
  for (std::size_t n = 0; n < nodes; ++n) {
    complexity[n] = sweep.forward(n, complexity);
  }
  for (std::size_t n = nodes; n-- > 0;) {
    generality[n] = sweep.backward(n, generality);
  }
  PathSums sums;
  sums.log_path_norm = log_of_sum(complexity.back());
  for (std::size_t n = 0; n < nodes; ++n) {
    sums.complexity.push_back(scaled_array(std::move(complexity[n])));
    sums.generality.push_back(scaled_array(std::move(generality[n])));
  }
  return sums;
}

double log_path_norm(const Network& network, const Parameters& parameters, const Mask& mask,
                     const PathOptions& options) {
  PathSweep sweep(network, parameters, mask, options);
  const std::vector<std::size_t> last = last_readers(network);
  std::vector<BinaryScaled> complexity(network.nodes.size());
  for (std::size_t n = 0; n < complexity.size(); ++n) {
    complexity[n] = sweep.forward(n, complexity, is_last_use(network, last, n));
    for (const std::int32_t input : network.nodes[n].inputs) {
      if (last[at(input)] == n) {
        complexity[at(input)] = {};
      }
    }
  }
  return log_of_sum(complexity.back());
}

std::vector<ScaledArray> connection_path_sums(const Network& network, const PathSums& sums) {
  check_sizes(network, sums);
  std::vector<ScaledArray> result;
  result.reserve(network.layers.size());
  Scratch scratch;
  for (const Layer& layer : network.layers) {
    const ScaledArray& complexity = sums.complexity[source_of(network, layer)];
    const ScaledArray& generality = sums.generality[at(layer.node)];
    result.push_back(
        {layer_path_sums(network, layer, complexity.values, generality.values, scratch),
         complexity.log_scale + generality.log_scale});
  }
  return result;
}

std::vector<ScaledArray> connection_path_sums(const Network& network, const Parameters& parameters,
                                              const Mask& mask, const PathOptions& options) {
  PathSweep sweep(network, parameters, mask, options);
  const std::size_t nodes = network.nodes.size();
  const std::vector<std::size_t> last = last_readers(network);
  std::vector<bool> source(nodes, false);  // of a layer: needed until that layer's turn
  for (const Layer& layer : network.layers) {
    source[source_of(network, layer)] = true;
  }
  std::vector<BinaryScaled> complexity(nodes);
  for (std::size_t n = 0; n < nodes; ++n) {
    complexity[n] = sweep.forward(
        n, complexity, is_last_use(network, last, n) && !source[at(network.nodes[n].inputs[0])]);
    for (const std::int32_t input : network.nodes[n].inputs) {
      if (last[at(input)] == n && !source[at(input)]) {
        complexity[at(input)] = {};
      }
    }
  }
  std::vector<ScaledArray> result(network.layers.size());
  std::vector<BinaryScaled> generality(nodes);
  Scratch scratch;
  for (std::size_t n = nodes; n-- > 0;) {
    const Node& node = network.nodes[n];
    generality[n] = sweep.backward(n, generality, true);
    if (node.layer >= 0) {
      const Layer& layer = network.layers[at(node.layer)];
      const BinaryScaled& before = complexity[source_of(network, layer)];
      result[at(node.layer)] = {
          layer_path_sums(network, layer, before.values, generality[n].values, scratch),
          log_scale(before.exponent) + log_scale(generality[n].exponent)};
    }
    complexity[n] = {};  // read by layers behind n only, and these are done
    for (std::size_t reader = n + 1; reader < nodes && reader <= last[n]; ++reader) {
      const std::vector<std::int32_t>& inputs = network.nodes[reader].inputs;
      if (!inputs.empty() && at(*std::min_element(inputs.begin(), inputs.end())) == n) {
        generality[reader] = {};
      }
    }
  }
  return result;
}

double log_path_kernel_trace(const Network& network, const Parameters& parameters, const Mask& mask,
                             const PathOptions& options) {
  // The sum of all first derivatives is the derivative in the direction of all ones: one forward
  // sweep that carries it along ("forward mode") costs only present connections, and no second
  // sweep.
  PathSweep sweep(network, parameters, mask, {options.norm, 2}, true);
  const std::size_t nodes = network.nodes.size();
  const std::vector<std::size_t> last = last_readers(network);
  std::vector<BinaryScaled> complexity(nodes);
  std::vector<BinaryScaled> derivative(nodes);
  for (std::size_t n = 0; n < nodes; ++n) {
    const bool consume = is_last_use(network, last, n);
    if (n == 0) {
      derivative[n].values.assign(at(network.input_shape().elements()), 0.0);
    } else {
      derivative[n] = sweep.forward(n, derivative, consume);
    }
    if (network.nodes[n].layer >= 0) {
      accumulate(derivative[n], sweep.forward_ones(n, complexity));
    }
    complexity[n] = sweep.forward(n, complexity, consume);
    for (const std::int32_t input : network.nodes[n].inputs) {
      if (last[at(input)] == n) {
        complexity[at(input)] = {};
        derivative[at(input)] = {};
      }
    }
  }
  return log_of_sum(derivative.back());
}

double path_score_flops(const Network& network, const Mask& mask) {
  // Not forward_flops(): the sweeps form no products between tokens.
  const auto flops = [&](std::span<const std::int64_t> present) {
    const std::vector<double> layers = multiply_adds(network, present);
    return 2 * std::accumulate(layers.begin(), layers.end(), 0.0);
  };
  return 2 * flops(mask.counts()) + flops(layer_sizes(network));
}

}  // namespace gcg
