#include "record/network_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"

namespace gcg {

namespace {

using nlohmann::json;

/// Far beyond every network, small enough that products of three do not overflow.
constexpr std::int64_t kLargest = 1 << 20;

std::int64_t number(const json& value) {
  if (!value.is_number_integer() || value < 0 || value > kLargest) {
    throw Error("number",
                fmt::format("'{}' is not a whole number in [0, {}]", json_text(value), kLargest));
  }
  return value.get<std::int64_t>();
}

Window window_of(const json& node) {
  const json& sizes = node.at("window");
  return {number(sizes.at(0)), number(sizes.at(1)), number(sizes.at(2)), number(sizes.at(3))};
}

void append(NetworkBuilder& net, const json& node) {
  const std::string name = node.at("name");
  const std::string operation = node.at("operation");
  const auto is = [&](Operation other) { return operation == operation_name(other); };
  const auto input = [&](std::size_t i) {
    return static_cast<std::int32_t>(number(node.at("inputs").at(i)));
  };
  if (is(Operation::convolution)) {
    net.convolution(name, input(0), number(node.at("channels")), window_of(node), node.at("bias"));
  } else if (is(Operation::linear)) {
    net.token_linear(name, input(0), number(node.at("channels")), node.at("bias"));
  } else if (is(Operation::batch_norm)) {
    net.batch_norm(name, input(0));
  } else if (is(Operation::relu)) {
    net.relu(name, input(0));
  } else if (is(Operation::add)) {
    net.add(name, input(0), input(1));
  } else if (is(Operation::max_pool)) {
    net.max_pool(name, input(0), window_of(node));
  } else if (is(Operation::average_pool)) {
    net.average_pool(name, input(0), window_of(node));
  } else if (is(Operation::global_average_pool)) {
    net.global_average_pool(name, input(0));
  } else if (is(Operation::flatten)) {
    net.flatten(name, input(0));
  } else if (is(Operation::layer_norm)) {
    net.layer_norm(name, input(0));
  } else if (is(Operation::gelu)) {
    net.gelu(name, input(0));
  } else if (is(Operation::tokens)) {
    net.tokens(name, input(0));
  } else if (is(Operation::attention)) {
    net.attention(name, input(0), input(1), input(2), number(node.at("heads")));
  } else if (is(Operation::first_token)) {
    net.first_token(name, input(0));
  } else if (is(Operation::drop_path)) {
    net.drop_path(name, input(0), node.at("rate").get<double>());
  } else {
    throw Error(name, fmt::format("'{}' is not an operation", operation));
  }
}

constexpr std::string_view kRemedy =
    "run the run's command again: it writes the file anew and repeats nothing";

[[noreturn]] void fail(const std::string& where, std::string_view problem) {
  throw Error(where, fmt::format("is not a layer graph: {}", problem), kRemedy);
}

/// The content of this version, with its checksum and of this run, if one is named.
json checked(const std::string& where, std::string_view text, std::string_view run) {
  try {
    json content = parse_json(text, where, kRemedy);
    const std::int64_t version =
        content.contains("version") ? json_integer(content.at("version"), where, "version", kRemedy)
                                    : 0;
    if (version != kNetworkFileVersion) {
      fail(where,
           fmt::format("it has version {}, this program reads {}", version, kNetworkFileVersion));
    }
    const std::string stored = content.at("sha256");
    content.erase("sha256");
    if (hex(sha256(json_text(content))) != stored) {
      fail(where, "the checksum does not match: the file is damaged");
    }
    if (const std::string of = content.at("run"); !run.empty() && of != run) {
      throw Error(where, fmt::format("belongs to the run '{}', not to '{}'", of, run), kRemedy);
    }
    return content;
  } catch (const json::exception& error) {
    fail(where, error.what());
  }
}

}  // namespace

std::string network_text(const Network& network, const NetworkOrigin& origin) {
  const Shape& input = network.input_shape();
  json nodes = json::array();
  for (const Node& node : network.nodes) {
    if (node.operation == Operation::input) {
      continue;
    }
    json entry{{"name", node.name},
               {"operation", operation_name(node.operation)},
               {"inputs", node.inputs}};
    if (node.layer >= 0) {
      entry["channels"] = node.shape.channels;
      entry["bias"] = node.bias;
    }
    if (node.operation == Operation::convolution || node.operation == Operation::max_pool ||
        node.operation == Operation::average_pool) {
      entry["window"] = {node.window.height, node.window.width, node.window.stride,
                         node.window.padding};
    }
    if (node.operation == Operation::attention) {
      entry["heads"] = node.heads;
    }
    if (node.operation == Operation::drop_path) {
      entry["rate"] = node.drop_rate;
    }
    nodes.push_back(std::move(entry));
  }
  json content{{"version", kNetworkFileVersion},
               {"run", origin.run},
               {"stage", origin.stage},
               {"name", network.name},
               {"input", {input.channels, input.height, input.width}},
               {"nodes", std::move(nodes)}};
  content["sha256"] = hex(sha256(json_text(content)));
  return json_text(content, 1) + "\n";
}

Network parse_network(const std::string& where, std::string_view text, std::string_view run) {
  const json content = checked(where, text, run);
  try {
    const json& input = content.at("input");
    NetworkBuilder net(content.at("name"),
                       {number(input.at(0)), number(input.at(1)), number(input.at(2))});
    for (const json& node : content.at("nodes")) {
      append(net, node);
    }
    return net.finish();
  } catch (const json::exception& error) {
    fail(where, error.what());
  } catch (const Error& error) {
    fail(where, error.what());
  }
}

}  // namespace gcg
