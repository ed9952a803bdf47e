#include "score/phew.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/index.h"

namespace gcg {

namespace {

/// One connection of a walk.
struct Step {
  std::int32_t layer = 0;
  std::int64_t connection = 0;
};

/// Cumulative sums of |w| between the units of a layer's input and its output units. The kernel
/// between two units is contiguous in the weight array: [targets][sources][taps].
struct KernelSums {
  std::int64_t sources = 0;
  std::int64_t targets = 0;
  std::int64_t taps = 0;
  std::vector<double> over_targets;  ///< [sources][targets], cumulative over the targets
  std::vector<double> over_sources;  ///< [targets][sources], cumulative over the sources
};

/// The network as the walks see it.
struct WalkGraph {
  const Network* network = nullptr;
  const Parameters* weights = nullptr;
  std::vector<std::vector<std::int32_t>> readers;
  std::int32_t start = 0;          ///< the node whose units are the input units
  std::vector<std::int64_t> span;  ///< per node: channels (after a flatten: features) of one unit
  std::vector<KernelSums> layers;

  [[nodiscard]] std::int64_t units(std::int32_t node) const {
    return network->nodes[at(node)].shape.channels / span[at(node)];
  }
};

/// The input as the first layer or branch sees it, so that the units of an MLP's input are pixels.
std::int32_t start_node(const WalkGraph& graph) {
  std::int32_t node = 0;
  while (graph.readers[at(node)].size() == 1) {
    const std::int32_t reader = graph.readers[at(node)].front();
    if (graph.network->nodes[at(reader)].layer >= 0) {
      break;
    }
    node = reader;
  }
  return node;
}

std::vector<std::int64_t> unit_spans(const WalkGraph& graph) {
  const Network& network = *graph.network;
  std::vector<std::int64_t> span(network.nodes.size(), 1);
  for (std::int32_t n = graph.start + 1; n < std::ssize(network.nodes); ++n) {
    const Node& node = network.nodes[at(n)];
    if (node.layer >= 0) {
      continue;
    }
    const std::int32_t input = node.inputs.front();
    span[at(n)] = span[at(input)];
    if (node.operation == Operation::flatten) {
      span[at(n)] *= network.nodes[at(input)].shape.positions();
    }
    for (const std::int32_t other : node.inputs) {
      if (span[at(other)] != span[at(input)]) {
        throw Error(fmt::format("{}: {}", network.name, node.name),
                    fmt::format("adds tensors with {} and {} features per channel, which PHEW "
                                "walks have no unit for",
                                span[at(input)], span[at(other)]));
      }
    }
  }
  return span;
}

KernelSums kernel_sums(const WalkGraph& graph, std::size_t l) {
  const Layer& layer = graph.network->layers[l];
  const std::vector<float>& weights = graph.weights->weights[l];
  const std::int64_t span = graph.span[at(graph.network->nodes[at(layer.node)].inputs.front())];
  KernelSums sums{layer.inputs / span, layer.outputs, layer.taps() * span, {}, {}};
  sums.over_targets.resize(at(sums.sources * sums.targets));
  sums.over_sources.resize(at(sums.sources * sums.targets));
  std::vector<double> column(at(sums.sources), 0.0);  // running sums of over_targets
  const float* weight = weights.data();
  for (std::int64_t target = 0; target < sums.targets; ++target) {
    double row = 0;
    for (std::int64_t source = 0; source < sums.sources; ++source) {
      double kernel = 0;
      for (std::int64_t tap = 0; tap < sums.taps; ++tap) {
        kernel += std::abs(static_cast<double>(*weight++));
      }
      row += kernel;
      column[at(source)] += kernel;
      sums.over_sources[at(target * sums.sources + source)] = row;
      sums.over_targets[at(source * sums.targets + target)] = column[at(source)];
    }
    if (!std::isfinite(row)) {
      throw Error(fmt::format("{}: {}", graph.network->name, layer.name),
                  fmt::format("a weight of unit {} is not finite", target));
    }
  }
  return sums;
}

WalkGraph walk_graph(const Network& network, const Parameters& weights) {
  WalkGraph graph;
  graph.network = &network;
  graph.weights = &weights;
  graph.readers = network.readers();
  graph.start = start_node(graph);
  graph.span = unit_spans(graph);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    graph.layers.push_back(kernel_sums(graph, l));
  }
  return graph;
}

/// An output unit of a layer.
struct Unit {
  std::int32_t layer = 0;
  std::int64_t unit = 0;
};

/// Which units walks have passed, and the others in turn.
class Visits {
 public:
  explicit Visits(const Network& network) {
    for (const Layer& layer : network.layers) {
      passed_.emplace_back(at(layer.outputs), false);
    }
  }

  void pass(const Network& network, const Step& step) {
    passed_[at(step.layer)][at(step.connection / network.layers[at(step.layer)].fan_in())] = true;
  }

  /// The first one that no walk has passed.
  std::optional<Unit> left_out() {
    for (; next_.layer < std::ssize(passed_); ++next_.layer, next_.unit = 0) {
      const std::vector<bool>& units = passed_[at(next_.layer)];
      while (next_.unit < std::ssize(units) && units[at(next_.unit)]) {
        ++next_.unit;
      }
      if (next_.unit < std::ssize(units)) {
        return next_;
      }
    }
    return std::nullopt;
  }

 private:
  std::vector<std::vector<bool>> passed_;
  Unit next_;
};

/// Index i with probability proportional to cumulative[i] - cumulative[i - 1]; -1 if all are zero.
std::int64_t draw(std::span<const double> cumulative, RandomStream& stream) {
  if (!(cumulative.back() > 0)) {
    return -1;
  }
  // uniform() <= 1 - 2^-53, so the product is below the total and some entry is above it.
  const double point = stream.uniform() * cumulative.back();
  return std::upper_bound(cumulative.begin(), cumulative.end(), point) - cumulative.begin();
}

/// Draws the unit at the other end of a layer, and the tap; appends the connection. Returns the
/// unit.
std::int64_t cross(const WalkGraph& graph, std::int32_t l, std::int64_t unit, bool forward,
                   RandomStream& stream, std::vector<Step>& walk) {
  const KernelSums& sums = graph.layers[at(l)];
  const std::int64_t ends = forward ? sums.targets : sums.sources;
  const std::vector<double>& table = forward ? sums.over_targets : sums.over_sources;
  const std::int64_t end = draw(std::span(table).subspan(at(unit * ends), at(ends)), stream);
  if (end < 0) {
    throw Error(fmt::format("{}: {}", graph.network->name, graph.network->layers[at(l)].name),
                fmt::format("a PHEW walk cannot go on: all weights {} unit {} are zero",
                            forward ? "from input" : "into output", unit));
  }
  const std::int64_t kernel =
      ((forward ? end : unit) * sums.sources + (forward ? unit : end)) * sums.taps;
  std::vector<double> cumulative(at(sums.taps));
  double sum = 0;
  for (std::int64_t tap = 0; tap < sums.taps; ++tap) {
    sum += std::abs(static_cast<double>(graph.weights->weights[at(l)][at(kernel + tap)]));
    cumulative[at(tap)] = sum;
  }
  walk.push_back({l, kernel + draw(cumulative, stream)});
  return end;
}

std::int32_t any_of(const std::vector<std::int32_t>& nodes, RandomStream& stream) {
  return nodes.size() == 1 ? nodes.front() : nodes[stream.below(nodes.size())];
}

/// From a unit of a node to the outputs.
void walk_forward(const WalkGraph& graph, std::int32_t node, std::int64_t unit,
                  RandomStream& stream, std::vector<Step>& walk) {
  const auto last = static_cast<std::int32_t>(graph.network->nodes.size()) - 1;
  while (node != last) {
    node = any_of(graph.readers[at(node)], stream);
    if (const std::int32_t layer = graph.network->nodes[at(node)].layer; layer >= 0) {
      unit = cross(graph, layer, unit, true, stream, walk);
    }
  }
}

/// From a unit of a node to the inputs.
void walk_backward(const WalkGraph& graph, std::int32_t node, std::int64_t unit,
                   RandomStream& stream, std::vector<Step>& walk) {
  while (node != graph.start) {
    if (const std::int32_t layer = graph.network->nodes[at(node)].layer; layer >= 0) {
      unit = cross(graph, layer, unit, false, stream, walk);
    }
    node = any_of(graph.network->nodes[at(node)].inputs, stream);
  }
}

}  // namespace

Mask phew_mask(const Network& network, const Parameters& weights, std::int64_t present,
               RandomStream stream, std::int64_t patience) {
  check_sizes(network, weights);
  if (present < 1 || present > network.connections()) {
    throw Error(network.name, fmt::format("a PHEW mask of {} of {} connections is impossible",
                                          present, network.connections()));
  }
  const WalkGraph graph = walk_graph(network, weights);
  const std::int64_t inputs = graph.units(graph.start);
  const auto last = static_cast<std::int32_t>(network.nodes.size()) - 1;
  const std::int64_t outputs = graph.units(last);
  const bool attends = std::ranges::any_of(
      network.nodes, [](const Node& node) { return node.operation == Operation::attention; });

  Mask mask(network, false);
  std::vector<Step> walk;
  std::int64_t found = 0;
  std::int64_t idle = 0;
  std::int64_t ends = 0;  // walks from either end
  Visits visits(network);
  for (std::int64_t w = 0; found < present; ++w) {
    walk.clear();
    const std::optional<Unit> left_out = attends && w % 3 == 2 ? visits.left_out() : std::nullopt;
    if (left_out) {
      const std::int32_t node = network.layers[at(left_out->layer)].node;
      walk_backward(graph, node, left_out->unit, stream, walk);
      walk_forward(graph, node, left_out->unit, stream, walk);
    } else {
      if (ends % 2 == 0) {
        walk_forward(graph, graph.start, ends / 2 % inputs, stream, walk);
      } else {
        walk_backward(graph, last, ends / 2 % outputs, stream, walk);
      }
      ++ends;
    }
    const std::int64_t before = found;
    for (const Step& step : walk) {
      visits.pass(network, step);
      LayerMask& layer = mask.layers[at(step.layer)];
      if (found < present && !layer.test(step.connection)) {
        layer.set(step.connection);
        ++found;
      }
    }
    if (found > before) {
      idle = 0;
    } else if (++idle >= patience) {
      throw Error(network.name,
                  fmt::format("{} PHEW walks in a row found no new connection: {} of {} found",
                              idle, found, present),
                  "ask for a lower density or take another seed rule");
    }
  }
  return mask;
}

}  // namespace gcg
