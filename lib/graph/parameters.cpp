#include "graph/parameters.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"

namespace gcg {

namespace {

std::int64_t bias_size(const Network& network, const Layer& layer) {
  return network.nodes[static_cast<std::size_t>(layer.node)].bias ? layer.outputs : 0;
}

}  // namespace

Parameters initial_parameters(const Network& network, std::uint64_t seed) {
  Parameters parameters = zero_slots(network);
  const RandomStream streams(seed, "initial-weights");
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    RandomStream stream = streams.at(l);
    const double deviation = std::sqrt(2.0 / static_cast<double>(network.layers[l].fan_in()));
    for (float& weight : parameters.weights[l]) {
      weight = static_cast<float>(deviation * stream.normal());
    }
  }
  for (const Node& node : network.nodes) {
    if (node.norm >= 0) {
      NormParameters& norm = parameters.norms[static_cast<std::size_t>(node.norm)];
      norm.scale.assign(norm.scale.size(), 1.0F);
      if (node.operation == Operation::batch_norm) {
        norm.mean.assign(norm.scale.size(), 0.0F);
        norm.variance.assign(norm.scale.size(), 1.0F);
      }
    }
  }
  const RandomStream token_streams(seed, "initial-tokens");
  std::uint64_t index = 0;
  for (std::vector<float>* values :
       {&parameters.tokens.class_token, &parameters.tokens.positions}) {
    RandomStream stream = token_streams.at(index++);
    for (float& value : *values) {
      value = static_cast<float>(kTokenDeviation * stream.normal());
    }
  }
  return parameters;
}

Parameters zero_slots(const Network& network) {
  Parameters parameters;
  for (const Layer& layer : network.layers) {
    parameters.weights.emplace_back(static_cast<std::size_t>(layer.connections()), 0.0F);
    parameters.biases.emplace_back(static_cast<std::size_t>(bias_size(network, layer)), 0.0F);
  }
  for (const Node& node : network.nodes) {
    if (node.norm >= 0) {
      NormParameters norm;
      norm.scale.assign(static_cast<std::size_t>(node.shape.channels), 0.0F);
      norm.shift = norm.scale;
      parameters.norms.push_back(norm);
    }
  }
  if (const Node* tokens = tokens_node(network)) {
    parameters.tokens.class_token.assign(static_cast<std::size_t>(tokens->shape.channels), 0.0F);
    parameters.tokens.positions.assign(static_cast<std::size_t>(tokens->shape.elements()), 0.0F);
  }
  return parameters;
}

std::int64_t parameter_count(const Network& network) {
  std::int64_t count = network.connections();
  for (const Layer& layer : network.layers) {
    count += bias_size(network, layer);
  }
  for (const Node& node : network.nodes) {
    if (node.norm >= 0) {
      count += 2 * node.shape.channels;
    }
  }
  if (const Node* tokens = tokens_node(network)) {
    count += tokens->shape.channels + tokens->shape.elements();
  }
  return count;
}

void check_sizes(const Network& network, const Parameters& parameters) {
  const auto check = [&](const std::string& name, std::size_t found, std::int64_t expected) {
    if (static_cast<std::int64_t>(found) != expected) {
      throw Error(fmt::format("{}: {}", network.name, name),
                  fmt::format("{} values, expected {}", found, expected));
    }
  };
  check("layers", parameters.weights.size(), std::ssize(network.layers));
  check("layers with bias", parameters.biases.size(), std::ssize(network.layers));
  check("normalisations", parameters.norms.size(), network.norm_count);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    check(layer.name + " weight", parameters.weights[l].size(), layer.connections());
    check(layer.name + " bias", parameters.biases[l].size(), bias_size(network, layer));
  }
  for (const Node& node : network.nodes) {
    if (node.norm >= 0) {
      const NormParameters& norm = parameters.norms[static_cast<std::size_t>(node.norm)];
      check(node.name + " scale", norm.scale.size(), node.shape.channels);
      check(node.name + " shift", norm.shift.size(), node.shape.channels);
      if (!norm.mean.empty() || !norm.variance.empty()) {
        const bool running = node.operation == Operation::batch_norm;
        check(node.name + " mean", norm.mean.size(), running ? node.shape.channels : 0);
        check(node.name + " variance", norm.variance.size(), running ? node.shape.channels : 0);
      }
    }
  }
  const Node* tokens = tokens_node(network);
  check("class token", parameters.tokens.class_token.size(),
        tokens != nullptr ? tokens->shape.channels : 0);
  check("position table", parameters.tokens.positions.size(),
        tokens != nullptr ? tokens->shape.elements() : 0);
}

}  // namespace gcg
