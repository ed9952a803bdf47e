#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "graph/network.h"
#include "topology/mask.h"

namespace gcg::testing {

/// One scalar of a node's output on a path, and the connection by which the path enters it
/// (-1 where the node has no connections).
struct Step {
  std::int32_t node = 0;
  std::int64_t channel = 0;
  std::int64_t y = 0;
  std::int64_t x = 0;
  std::int64_t connection = -1;
};

/// Calls f for every single path of present connections from an input scalar to a logit, by plain
/// recursion over the definitions of the operations: the reference of everything that is said about
/// paths. Steps run from the logit back to the input. Only for tiny networks.
inline void for_each_path(const Network& network, const Mask& mask,
                          const std::function<void(std::span<const Step>)>& f) {
  std::vector<Step> path;
  const std::function<void(Step)> visit = [&](Step step) {
    const Node& node = network.nodes[static_cast<std::size_t>(step.node)];
    path.push_back(step);
    const auto entered_by = [&](std::int64_t connection) { path.back().connection = connection; };
    const auto come_from = [&](std::int32_t from, std::int64_t channel, std::int64_t y,
                               std::int64_t x) {
      const Shape& shape = network.nodes[static_cast<std::size_t>(from)].shape;
      if (y >= 0 && x >= 0 && y < shape.height && x < shape.width) {
        visit({from, channel, y, x});
      }
    };
    const Window& window = node.window;
    const auto for_each_tap = [&](const std::function<void(std::int64_t, std::int64_t)>& g) {
      for (std::int64_t ky = 0; ky < window.height; ++ky) {
        for (std::int64_t kx = 0; kx < window.width; ++kx) {
          g(ky, kx);
        }
      }
    };
    switch (node.operation) {
      case Operation::input:
        f(path);
        break;
      case Operation::convolution:
      case Operation::linear: {
        const Layer& layer = network.layers[static_cast<std::size_t>(node.layer)];
        for (std::int64_t c = 0; c < layer.inputs; ++c) {
          for_each_tap([&](std::int64_t ky, std::int64_t kx) {
            const std::int64_t connection =
                ((step.channel * layer.inputs + c) * layer.kernel_height + ky) *
                    layer.kernel_width +
                kx;
            if (mask.layers[static_cast<std::size_t>(node.layer)].test(connection)) {
              entered_by(connection);
              come_from(node.inputs[0], c, step.y * window.stride + ky - window.padding,
                        step.x * window.stride + kx - window.padding);
            }
          });
        }
        break;
      }
      case Operation::max_pool:
      case Operation::average_pool:
        for_each_tap([&](std::int64_t ky, std::int64_t kx) {
          come_from(node.inputs[0], step.channel, step.y * window.stride + ky - window.padding,
                    step.x * window.stride + kx - window.padding);
        });
        break;
      case Operation::global_average_pool: {
        const Shape& shape = network.nodes[static_cast<std::size_t>(node.inputs[0])].shape;
        for (std::int64_t y = 0; y < shape.height; ++y) {
          for (std::int64_t x = 0; x < shape.width; ++x) {
            come_from(node.inputs[0], step.channel, y, x);
          }
        }
        break;
      }
      case Operation::flatten: {
        const Shape& shape = network.nodes[static_cast<std::size_t>(node.inputs[0])].shape;
        come_from(node.inputs[0], step.channel / shape.positions(),
                  step.channel % shape.positions() / shape.width, step.channel % shape.width);
        break;
      }
      case Operation::batch_norm:
      case Operation::layer_norm:
      case Operation::relu:
      case Operation::gelu:
      case Operation::drop_path:
      case Operation::add:
        for (const std::int32_t from : node.inputs) {
          come_from(from, step.channel, step.y, step.x);
        }
        break;
      case Operation::tokens:
        if (step.y > 0) {  // the class token starts no path
          const Shape& shape = network.nodes[static_cast<std::size_t>(node.inputs[0])].shape;
          come_from(node.inputs[0], step.channel, (step.y - 1) / shape.width,
                    (step.y - 1) % shape.width);
        }
        break;
      case Operation::attention:
        for (const std::int32_t from : node.inputs) {
          for (std::int64_t token = 0; token < node.shape.height; ++token) {
            come_from(from, step.channel, token, 0);
          }
        }
        break;
      case Operation::first_token:
        come_from(node.inputs[0], step.channel, 0, 0);
        break;
    }
    path.pop_back();
  };
  for (std::int64_t logit = 0; logit < network.classes(); ++logit) {
    visit({static_cast<std::int32_t>(network.nodes.size()) - 1, logit, 0, 0});
  }
}

/// Each connection present with probability `density`.
inline Mask random_mask(const Network& network, double density, RandomStream& stream) {
  Mask mask(network, false);
  for (LayerMask& layer : mask.layers) {
    for (std::int64_t i = 0; i < layer.size(); ++i) {
      if (stream.uniform() < density) {
        layer.set(i);
      }
    }
  }
  return mask;
}

/// A tiny network of random operations: convolutions with any stride and padding, both poolings,
/// branches that are added, flattening or global pooling, a linear layer.
inline Network random_network(RandomStream& stream) {
  const auto between = [&](std::int64_t low, std::int64_t high) {
    return low +
           static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(high - low + 1)));
  };
  const Shape input{between(1, 2), between(2, 5), between(2, 5)};
  NetworkBuilder net("random", input);
  Shape shape = input;
  std::int32_t x = 0;
  int count = 0;
  const auto name = [&](const char* kind) { return kind + std::to_string(count++); };
  const auto window = [&](std::int64_t largest) {
    Window w{between(1, std::min(largest, shape.height)),
             between(1, std::min(largest, shape.width)), between(1, 2), 0};
    w.padding = between(0, std::max(w.height, w.width) - 1);
    return w;
  };
  const auto after = [&](const Window& w, std::int64_t channels) {
    shape = {channels, (shape.height + 2 * w.padding - w.height) / w.stride + 1,
             (shape.width + 2 * w.padding - w.width) / w.stride + 1};
  };
  for (std::int64_t left = between(1, 4); left > 0; --left) {
    switch (between(0, 4)) {
      case 0: {
        const Window w = window(3);
        const std::int64_t channels = between(1, 3);
        x = net.convolution(name("conv"), x, channels, w, true);
        after(w, channels);
        break;
      }
      case 1: {
        const Window w = window(2);
        x = between(0, 1) == 0 ? net.max_pool(name("max"), x, w)
                               : net.average_pool(name("average"), x, w);
        after(w, shape.channels);
        break;
      }
      case 2: {
        const std::int32_t y = net.convolution(name("branch"), x, shape.channels, {3, 3, 1, 1});
        x = net.relu(name("relu"), net.add(name("add"), net.batch_norm(name("norm"), y), x));
        break;
      }
      case 3: {
        const std::int64_t channels = between(1, 3);
        const Window wide{3, 3, 2, 1};
        const std::int32_t a = net.convolution(name("left"), x, channels, wide);
        const std::int32_t b = net.convolution(name("right"), x, channels, {1, 1, 2, 0});
        x = net.add(name("add"), a, b);
        after(wide, channels);
        break;
      }
      default:
        x = net.relu(name("relu"), net.batch_norm(name("norm"), x));
    }
  }
  if (between(0, 1) == 0) {
    x = net.flatten(name("flatten"), x);
  } else {
    x = net.global_average_pool(name("global"), x);
  }
  net.linear(name("linear"), x, between(1, 3));
  return net.finish();
}

/// A transformer of one block, or of more, with 2 heads of one channel each, on 2 patches.
inline Network tiny_transformer(int blocks = 1) {
  NetworkBuilder net("tiny_transformer", {1, 2, 2});
  std::int32_t x = net.tokens("tokens", net.convolution("patches", 0, 2, {2, 1, 1, 0}, true));
  for (int b = 1; b <= blocks; ++b) {
    const std::string block = b == 1 ? "" : "block" + std::to_string(b) + ".";
    std::int32_t y = net.layer_norm(block + "norm1", x);
    const std::int32_t query = net.token_linear(block + "query", y, 2);
    const std::int32_t key = net.token_linear(block + "key", y, 2);
    const std::int32_t value = net.token_linear(block + "value", y, 2);
    y = net.attention(block + "attention", query, key, value, 2);
    x = net.add(block + "add1", net.token_linear(block + "projection", y, 2), x);
    y = net.token_linear(block + "mlp1", net.layer_norm(block + "norm2", x), 3);
    y = net.gelu(block + "gelu", y);
    x = net.add(block + "add2", net.token_linear(block + "mlp2", y, 2), x);
  }
  net.linear("classifier", net.first_token("class_token", net.layer_norm("norm3", x)), 2);
  return net.finish();
}

}  // namespace gcg::testing
