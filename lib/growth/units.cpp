#include "growth/units.h"

#include <algorithm>
#include <iterator>

#include "base/index.h"

namespace gcg {

namespace {

/// Unit of layer `feeder` that a connection of layer `reader` reads. Between the two only a flatten
/// changes the number of channels: every unit becomes the same number of consecutive features.
std::int64_t source_unit(const Network& network, std::int32_t feeder, std::int32_t reader,
                         std::int64_t index) {
  const Layer& layer = network.layers[at(reader)];
  const std::int64_t input = index / layer.taps() % layer.inputs;
  return input / (layer.inputs / network.layers[at(feeder)].outputs);
}

std::vector<std::vector<std::int32_t>> feeding_layers(const Network& network) {
  std::vector<std::vector<std::int32_t>> held(network.nodes.size());  // per node, ascending
  std::vector<std::vector<std::int32_t>> feeders(network.layers.size());
  for (std::size_t n = 0; n < network.nodes.size(); ++n) {
    const Node& node = network.nodes[n];
    std::vector<std::int32_t> layers;
    for (const std::int32_t input : node.inputs) {
      std::vector<std::int32_t> both;
      std::set_union(layers.begin(), layers.end(), held[at(input)].begin(), held[at(input)].end(),
                     std::back_inserter(both));
      layers = std::move(both);
    }
    if (node.layer >= 0) {
      feeders[at(node.layer)] = std::move(layers);
      layers = {node.layer};
    }
    held[n] = std::move(layers);
  }
  return feeders;
}

}  // namespace

UnitDegrees unit_degrees(const Network& network, const Mask& mask) {
  check_sizes(network, mask);
  UnitDegrees degrees;
  degrees.feeders = feeding_layers(network);
  degrees.readers.resize(network.layers.size());
  for (std::int32_t reader = 0; reader < std::ssize(network.layers); ++reader) {
    for (const std::int32_t feeder : degrees.feeders[at(reader)]) {
      degrees.readers[at(feeder)].push_back(reader);
    }
  }
  for (const Layer& layer : network.layers) {
    degrees.incoming.emplace_back(at(layer.outputs), 0);
    degrees.outgoing.emplace_back(at(layer.outputs), 0);
  }
  for (std::int32_t l = 0; l < std::ssize(network.layers); ++l) {
    mask.layers[at(l)].for_each_present([&](std::int64_t index) {
      change_degrees(degrees, network, {l, index}, 1);
    });
  }
  return degrees;
}

void change_degrees(UnitDegrees& degrees, const Network& network, const Connection& connection,
                    std::int64_t change) {
  const auto [l, index] = connection;
  degrees.incoming[at(l)][at(index / network.layers[at(l)].fan_in())] += change;
  for (const std::int32_t feeder : degrees.feeders[at(l)]) {
    degrees.outgoing[at(feeder)][at(source_unit(network, feeder, l, index))] += change;
  }
}

bool is_surplus(const UnitDegrees& degrees, const Network& network, const Connection& connection) {
  const auto [l, index] = connection;
  const std::int64_t target = index / network.layers[at(l)].fan_in();
  return degrees.incoming[at(l)][at(target)] > 1 &&
         std::all_of(
             degrees.feeders[at(l)].begin(), degrees.feeders[at(l)].end(),
             [&, layer = l, i = index](std::int32_t feeder) {
               return degrees.outgoing[at(feeder)][at(source_unit(network, feeder, layer, i))] > 1;
             });
}

Connection draw_incoming(const Network& network, std::int32_t layer, std::int64_t unit,
                         RandomStream& stream) {
  const std::int64_t fan_in = network.layers[at(layer)].fan_in();
  return {layer, unit * fan_in + static_cast<std::int64_t>(stream.below(at(fan_in)))};
}

Connection draw_outgoing(const UnitDegrees& degrees, const Network& network, std::int32_t layer,
                         std::int64_t unit, RandomStream& stream) {
  const std::int64_t units = network.layers[at(layer)].outputs;
  std::int64_t total = 0;
  for (const std::int32_t reader : degrees.readers[at(layer)]) {
    total += network.layers[at(reader)].connections() / units;
  }
  auto choice = static_cast<std::int64_t>(stream.below(at(total)));
  for (const std::int32_t reader : degrees.readers[at(layer)]) {
    const Layer& to = network.layers[at(reader)];
    const std::int64_t reading = to.connections() / units;
    if (choice < reading) {
      const std::int64_t taps = reading / to.outputs;  // between the unit and one target
      return {reader, choice / taps * to.fan_in() + unit * taps + choice % taps};
    }
    choice -= reading;
  }
  return {};  // not reached: choice < total
}

}  // namespace gcg
