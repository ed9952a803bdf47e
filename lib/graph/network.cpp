#include "graph/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace gcg {

std::string_view operation_name(Operation operation) {
  switch (operation) {
    case Operation::input:
      return "input";
    case Operation::convolution:
      return "convolution";
    case Operation::linear:
      return "linear";
    case Operation::batch_norm:
      return "batch_norm";
    case Operation::relu:
      return "relu";
    case Operation::add:
      return "add";
    case Operation::max_pool:
      return "max_pool";
    case Operation::average_pool:
      return "average_pool";
    case Operation::global_average_pool:
      return "global_average_pool";
    case Operation::flatten:
      return "flatten";
    case Operation::layer_norm:
      return "layer_norm";
    case Operation::gelu:
      return "gelu";
    case Operation::tokens:
      return "tokens";
    case Operation::attention:
      return "attention";
    case Operation::first_token:
      return "first_token";
    case Operation::drop_path:
      return "drop_path";
  }
  throw Error("operation_name", "not an operation");
}

std::int64_t Network::connections() const {
  return std::accumulate(
      layers.begin(), layers.end(), std::int64_t{0},
      [](std::int64_t sum, const Layer& layer) { return sum + layer.connections(); });
}

std::vector<std::vector<std::int32_t>> Network::readers() const {
  std::vector<std::vector<std::int32_t>> result(nodes.size());
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    for (const std::int32_t input : nodes[n].inputs) {
      result[static_cast<std::size_t>(input)].push_back(static_cast<std::int32_t>(n));
    }
  }
  return result;
}

const Node* tokens_node(const Network& network) {
  const auto found = std::find_if(network.nodes.begin(), network.nodes.end(), [](const Node& node) {
    return node.operation == Operation::tokens;
  });
  return found == network.nodes.end() ? nullptr : &*found;
}

NetworkBuilder::NetworkBuilder(std::string name, Shape input) {
  network_.name = std::move(name);
  if (input.channels <= 0 || input.height <= 0 || input.width <= 0) {
    throw Error(network_.name, fmt::format("input shape {}x{}x{} is not positive", input.channels,
                                           input.height, input.width));
  }
  Node node;
  node.name = "input";
  node.shape = input;
  append(std::move(node));
}

const Shape& NetworkBuilder::shape_of(std::string_view name, std::int32_t node) const {
  if (node < 0 || node >= std::ssize(network_.nodes)) {
    throw Error(fmt::format("{}: {}", network_.name, name),
                fmt::format("reads node {}, which does not exist yet", node));
  }
  return network_.nodes[static_cast<std::size_t>(node)].shape;
}

std::int32_t NetworkBuilder::append(Node node) {
  const auto same = [&](const Node& other) { return other.name == node.name; };
  if (std::any_of(network_.nodes.begin(), network_.nodes.end(), same)) {
    throw Error(fmt::format("{}: {}", network_.name, node.name), "two nodes have this name");
  }
  network_.nodes.push_back(std::move(node));
  return static_cast<std::int32_t>(network_.nodes.size()) - 1;
}

std::int32_t NetworkBuilder::append_layer(Node node, std::int64_t inputs) {
  if (node.shape.channels <= 0) {
    throw Error(fmt::format("{}: {}", network_.name, node.name), "has no outputs");
  }
  Layer layer;
  layer.name = node.name;
  layer.node = static_cast<std::int32_t>(network_.nodes.size());
  layer.outputs = node.shape.channels;
  layer.inputs = inputs;
  layer.kernel_height = node.window.height;
  layer.kernel_width = node.window.width;
  node.layer = static_cast<std::int32_t>(network_.layers.size());
  network_.layers.push_back(std::move(layer));
  return append(std::move(node));
}

Shape NetworkBuilder::window_shape(std::string_view name, std::int32_t from, std::int64_t channels,
                                   const Window& window) const {
  const Shape& input = shape_of(name, from);
  const std::int64_t height = input.height + 2 * window.padding - window.height;
  const std::int64_t width = input.width + 2 * window.padding - window.width;
  if (window.height <= 0 || window.width <= 0 || window.stride <= 0 || window.padding < 0 ||
      window.padding >= std::max(window.height, window.width) || height < 0 || width < 0) {
    throw Error(fmt::format("{}: {}", network_.name, name),
                fmt::format("a {}x{} window (stride {}, padding {}) does not fit a {}x{} input",
                            window.height, window.width, window.stride, window.padding,
                            input.height, input.width));
  }
  return {channels, height / window.stride + 1, width / window.stride + 1};
}

std::int32_t NetworkBuilder::convolution(std::string name, std::int32_t from, std::int64_t outputs,
                                         Window window, bool bias) {
  Node node;
  node.shape = window_shape(name, from, outputs, window);
  node.name = std::move(name);
  node.operation = Operation::convolution;
  node.inputs = {from};
  node.window = window;
  node.bias = bias;
  const std::int64_t inputs = shape_of(node.name, from).channels;
  return append_layer(std::move(node), inputs);
}

std::int32_t NetworkBuilder::linear(std::string name, std::int32_t from, std::int64_t outputs,
                                    bool bias) {
  const Shape& input = shape_of(name, from);
  if (input.positions() != 1) {
    throw Error(
        fmt::format("{}: {}", network_.name, name),
        fmt::format("a linear layer needs 1x1 positions, not {}x{}", input.height, input.width),
        "flatten or pool first");
  }
  return append_linear(std::move(name), from, outputs, bias);
}

std::int32_t NetworkBuilder::append_linear(std::string name, std::int32_t from,
                                           std::int64_t outputs, bool bias) {
  const Shape& input = shape_of(name, from);
  Node node;
  node.name = std::move(name);
  node.operation = Operation::linear;
  node.inputs = {from};
  node.shape = {outputs, input.height, input.width};
  node.bias = bias;
  const std::int64_t inputs = input.channels;
  return append_layer(std::move(node), inputs);
}

std::int32_t NetworkBuilder::append_like(std::string name, Operation operation, std::int32_t from) {
  Node node;
  node.shape = shape_of(name, from);
  node.name = std::move(name);
  node.operation = operation;
  node.inputs = {from};
  if (operation == Operation::batch_norm || operation == Operation::layer_norm) {
    node.norm = network_.norm_count++;
  }
  return append(std::move(node));
}

std::int32_t NetworkBuilder::batch_norm(std::string name, std::int32_t from) {
  return append_like(std::move(name), Operation::batch_norm, from);
}

std::int32_t NetworkBuilder::relu(std::string name, std::int32_t from) {
  return append_like(std::move(name), Operation::relu, from);
}

std::int32_t NetworkBuilder::add(std::string name, std::int32_t left, std::int32_t right) {
  if (!(shape_of(name, left) == shape_of(name, right))) {
    throw Error(fmt::format("{}: {}", network_.name, name), "adds tensors of different shape");
  }
  Node node;
  node.shape = shape_of(name, left);
  node.name = std::move(name);
  node.operation = Operation::add;
  node.inputs = {left, right};
  return append(std::move(node));
}

std::int32_t NetworkBuilder::max_pool(std::string name, std::int32_t from, Window window) {
  Node node;
  node.shape = window_shape(name, from, shape_of(name, from).channels, window);
  node.name = std::move(name);
  node.operation = Operation::max_pool;
  node.inputs = {from};
  node.window = window;
  return append(std::move(node));
}

std::int32_t NetworkBuilder::average_pool(std::string name, std::int32_t from, Window window) {
  Node node;
  node.shape = window_shape(name, from, shape_of(name, from).channels, window);
  node.name = std::move(name);
  node.operation = Operation::average_pool;
  node.inputs = {from};
  node.window = window;
  return append(std::move(node));
}

std::int32_t NetworkBuilder::global_average_pool(std::string name, std::int32_t from) {
  Node node;
  node.shape = {shape_of(name, from).channels, 1, 1};
  node.name = std::move(name);
  node.operation = Operation::global_average_pool;
  if (tokens_node(network_) != nullptr) {
    throw Error(fmt::format("{}: {}", network_.name, node.name),
                "would average the class token together with the patches",
                "take the first token, or pool before tokens are made");
  }
  node.inputs = {from};
  return append(std::move(node));
}

std::int32_t NetworkBuilder::flatten(std::string name, std::int32_t from) {
  Node node;
  node.shape = {shape_of(name, from).elements(), 1, 1};
  node.name = std::move(name);
  node.operation = Operation::flatten;
  node.inputs = {from};
  return append(std::move(node));
}

std::int32_t NetworkBuilder::layer_norm(std::string name, std::int32_t from) {
  return append_like(std::move(name), Operation::layer_norm, from);
}

std::int32_t NetworkBuilder::gelu(std::string name, std::int32_t from) {
  return append_like(std::move(name), Operation::gelu, from);
}

std::int32_t NetworkBuilder::tokens(std::string name, std::int32_t from) {
  if (tokens_node(network_) != nullptr) {
    throw Error(fmt::format("{}: {}", network_.name, name), "the network has tokens already");
  }
  Node node;
  const Shape& input = shape_of(name, from);
  node.shape = {input.channels, 1 + input.positions(), 1};
  node.name = std::move(name);
  node.operation = Operation::tokens;
  node.inputs = {from};
  return append(std::move(node));
}

const Shape& NetworkBuilder::token_shape(std::string_view name, std::int32_t node) const {
  const Shape& shape = shape_of(name, node);
  if (shape.width != 1) {
    throw Error(
        fmt::format("{}: {}", network_.name, name),
        fmt::format("reads {}x{} positions, which are no tokens", shape.height, shape.width),
        "make tokens of them first");
  }
  return shape;
}

std::int32_t NetworkBuilder::token_linear(std::string name, std::int32_t from, std::int64_t outputs,
                                          bool bias) {
  token_shape(name, from);
  return append_linear(std::move(name), from, outputs, bias);
}

std::int32_t NetworkBuilder::attention(std::string name, std::int32_t query, std::int32_t key,
                                       std::int32_t value, std::int64_t heads) {
  const Shape shape = token_shape(name, query);
  if (!(shape_of(name, key) == shape) || !(shape_of(name, value) == shape)) {
    throw Error(fmt::format("{}: {}", network_.name, name),
                "query, key and value differ in their shape");
  }
  if (heads <= 0 || shape.channels % heads != 0) {
    throw Error(fmt::format("{}: {}", network_.name, name),
                fmt::format("{} channels cannot be split into {} heads", shape.channels, heads),
                heads > 0 ? fmt::format("take a width that is a multiple of {} (--width {})", heads,
                                        (shape.channels / heads + 1) * heads)
                          : "ask for at least one head");
  }
  Node node;
  node.shape = shape;
  node.name = std::move(name);
  node.operation = Operation::attention;
  node.inputs = {query, key, value};
  node.heads = heads;
  return append(std::move(node));
}

std::int32_t NetworkBuilder::first_token(std::string name, std::int32_t from) {
  if (tokens_node(network_) == nullptr) {
    throw Error(fmt::format("{}: {}", network_.name, name), "there is no class token to take",
                "make tokens first");
  }
  Node node;
  node.shape = {token_shape(name, from).channels, 1, 1};
  node.name = std::move(name);
  node.operation = Operation::first_token;
  node.inputs = {from};
  return append(std::move(node));
}

std::int32_t NetworkBuilder::drop_path(std::string name, std::int32_t from, double rate) {
  if (!(rate > 0 && rate < 1)) {
    throw Error(fmt::format("{}: {}", network_.name, name),
                fmt::format("a drop rate of {} is not in (0, 1)", rate),
                "leave the node out where nothing is dropped");
  }
  Node node;
  node.shape = shape_of(name, from);
  node.name = std::move(name);
  node.operation = Operation::drop_path;
  node.inputs = {from};
  node.drop_rate = rate;
  node.drop = network_.drop_count++;
  return append(std::move(node));
}

Network NetworkBuilder::finish() {
  const auto readers = network_.readers();
  for (std::size_t n = 0; n + 1 < network_.nodes.size(); ++n) {
    if (readers[n].empty()) {
      throw Error(fmt::format("{}: {}", network_.name, network_.nodes[n].name),
                  "nothing reads this node: it lies on no path to the output");
    }
  }
  if (network_.nodes.back().shape.positions() != 1 || network_.layers.empty()) {
    throw Error(network_.name, "does not end in one vector of logits behind a maskable layer");
  }
  return std::move(network_);
}

std::vector<double> multiply_adds(const Network& network, std::span<const std::int64_t> present) {
  if (present.size() != network.layers.size()) {
    throw Error(network.name, fmt::format("{} layer counts given, the network has {} layers",
                                          present.size(), network.layers.size()));
  }
  std::vector<double> result;
  result.reserve(present.size());
  for (std::size_t l = 0; l < present.size(); ++l) {
    const Node& node = network.nodes[static_cast<std::size_t>(network.layers[l].node)];
    result.push_back(static_cast<double>(present[l]) * static_cast<double>(node.shape.positions()));
  }
  return result;
}

double attention_multiply_adds(const Network& network) {
  double sum = 0;
  for (const Node& node : network.nodes) {
    if (node.operation == Operation::attention) {
      const auto tokens = static_cast<double>(node.shape.positions());
      sum += 2 * tokens * tokens * static_cast<double>(node.shape.channels);
    }
  }
  return sum;
}

double forward_flops(const Network& network, std::span<const std::int64_t> present) {
  const std::vector<double> layers = multiply_adds(network, present);
  return 2 * std::accumulate(layers.begin(), layers.end(), attention_multiply_adds(network));
}

std::vector<std::int64_t> layer_sizes(const Network& network) {
  std::vector<std::int64_t> sizes;
  sizes.reserve(network.layers.size());
  for (const Layer& layer : network.layers) {
    sizes.push_back(layer.connections());
  }
  return sizes;
}

}  // namespace gcg
