#include "record/export.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "record/network_file.h"
#include "record/npz.h"

namespace gcg {

namespace {

std::vector<std::int64_t> weight_shape(const Network& network, const Layer& layer) {
  std::vector<std::int64_t> shape{layer.outputs, layer.inputs};
  if (network.nodes.at(static_cast<std::size_t>(layer.node)).operation != Operation::linear) {
    shape.push_back(layer.kernel_height);
    shape.push_back(layer.kernel_width);
  }
  return shape;
}

/// Whether an array has the layer's shape; the 1x1 of a linear layer may be left out or there.
bool fits(const std::vector<std::int64_t>& shape, const Layer& layer) {
  std::vector<std::int64_t> whole = shape;
  if (whole.size() == 2) {
    whole.insert(whole.end(), {1, 1});
  }
  return whole == std::vector<std::int64_t>{layer.outputs, layer.inputs, layer.kernel_height,
                                            layer.kernel_width};
}

std::vector<std::byte> expanded(const LayerMask& mask) {
  std::vector<std::byte> values(static_cast<std::size_t>(mask.size()));
  mask.for_each_present(
      [&](std::int64_t i) { values[static_cast<std::size_t>(i)] = std::byte{1}; });
  return values;
}

LayerMask packed(const std::string& where, const NpzArray& array, const Layer& layer) {
  if (!fits(array.shape, layer) || (array.type != "|b1" && array.type != "|u1")) {
    throw Error(where,
                fmt::format("{} is {} of shape ({}), the layer is {}x{}x{}x{}", array.name,
                            array.type, fmt::join(array.shape, ", "), layer.outputs, layer.inputs,
                            layer.kernel_height, layer.kernel_width),
                "give a Boolean for every connection of this network and width");
  }
  LayerMask mask(layer.connections());
  for (std::size_t i = 0; i < array.bytes.size(); ++i) {
    if (array.bytes[i] == std::byte{1}) {
      mask.set(static_cast<std::int64_t>(i));
    } else if (array.bytes[i] != std::byte{0}) {
      throw Error(where,
                  fmt::format("{} holds {} at position {}", array.name,
                              std::to_integer<int>(array.bytes[i]), i),
                  "give zeros and ones");
    }
  }
  return mask;
}

}  // namespace

std::vector<std::byte> export_content(const Network& network, const TrainingState& state,
                                      const NetworkOrigin& origin) {
  check_sizes(network, state.mask);
  check_sizes(network, state.values);
  std::vector<NpzArray> arrays;
  const auto add = [&](std::string name, const std::vector<float>& values,
                       std::vector<std::int64_t> shape) {
    const auto bytes = std::as_bytes(std::span(values));
    arrays.push_back({std::move(name), "<f4", std::move(shape), {bytes.begin(), bytes.end()}});
  };
  for (const Node& node : network.nodes) {
    if (node.layer >= 0) {
      const auto l = static_cast<std::size_t>(node.layer);
      const Layer& layer = network.layers[l];
      const std::vector<std::int64_t> shape = weight_shape(network, layer);
      arrays.push_back({layer.name + ".mask", "|b1", shape, expanded(state.mask.layers[l])});
      add(layer.name + ".weight", state.values.weights[l], shape);
      if (node.bias) {
        add(layer.name + ".bias", state.values.biases[l], {layer.outputs});
      }
    } else if (node.norm >= 0) {
      const NormParameters& norm = state.values.norms[static_cast<std::size_t>(node.norm)];
      const std::vector<std::int64_t> shape{node.shape.channels};
      add(node.name + ".weight", norm.scale, shape);
      add(node.name + ".bias", norm.shift, shape);
      if (node.operation == Operation::batch_norm) {
        add(node.name + ".running_mean", norm.mean, shape);
        add(node.name + ".running_var", norm.variance, shape);
      }
    } else if (node.operation == Operation::tokens) {
      const TokenParameters& tokens = state.values.tokens;
      add(node.name + ".class_token", tokens.class_token, {node.shape.channels});
      add(node.name + ".positions", tokens.positions, {node.shape.channels, node.shape.height});
    }
  }
  const std::string graph = network_text(network, origin);
  const NpzText text{kNetworkFileName, graph};
  return npz_content(arrays, std::span(&text, 1));
}

Mask read_npz_mask(const std::filesystem::path& path, const Network& network) {
  const std::string where = path.string();
  const std::vector<std::byte> content = read_file(path);
  const std::vector<NpzArray> arrays = parse_npz(where, content);
  Mask mask;
  for (const Layer& layer : network.layers) {
    const auto found = std::ranges::find(arrays, layer.name + ".mask", &NpzArray::name);
    if (found == arrays.end()) {
      throw Error(where, fmt::format("has no array {}.mask", layer.name),
                  "every layer of the network needs its mask");
    }
    mask.layers.push_back(packed(where, *found, layer));
  }
  for (const NpzArray& array : arrays) {
    const auto same = [&](const Layer& layer) { return layer.name + ".mask" == array.name; };
    if (array.name.ends_with(".mask") && std::ranges::none_of(network.layers, same)) {
      throw Error(where, fmt::format("{} is the mask of no layer of {}", array.name, network.name),
                  "the mask belongs to another network");
    }
  }
  return mask;
}

}  // namespace gcg
