#include "bench/plain_torch.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/types.h>

#include <cmath>
#include <memory>
#include <vector>

#include "base/error.h"

namespace gcg::bench {

namespace {

struct PlainNetwork {
  Network network;
  at::MemoryFormat format;
  Precision precision;
  std::vector<at::Tensor> trained;
  std::vector<at::Tensor> momentum;
  std::vector<std::vector<std::size_t>>
      of_node;                                   ///< in `trained`: weight and bias, scale and shift
  std::vector<std::vector<at::Tensor>> running;  ///< per node: mean and variance

  std::size_t add(const at::Tensor& value) {
    trained.push_back(value.detach().requires_grad_());
    momentum.push_back(at::zeros_like(value));
    return trained.size() - 1;
  }
  const at::Tensor& of(std::size_t node, std::size_t which) const {
    return trained[of_node[node][which]];
  }
  /// What products are made of: as automatic mixed precision casts it.
  at::Tensor factor(const at::Tensor& value) const {
    return precision == Precision::bf16 && value.defined() ? value.to(at::kBFloat16) : value;
  }
};

PlainNetwork make_plain(const Network& network, ChannelOrder order, Precision precision,
                        const at::Device& device) {
  const at::TensorOptions on(device);
  PlainNetwork plain{
      network,
      order == ChannelOrder::last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous,
      precision,
      {},
      {},
      std::vector<std::vector<std::size_t>>(network.nodes.size()),
      std::vector<std::vector<at::Tensor>>(network.nodes.size())};
  for (std::size_t n = 0; n < network.nodes.size(); ++n) {
    const Node& node = network.nodes[n];
    if (node.layer >= 0) {
      const Layer& layer = network.layers[static_cast<std::size_t>(node.layer)];
      const bool linear = node.operation == Operation::linear;
      const at::Tensor weight =
          linear ? at::randn({layer.outputs, layer.inputs}, on)
                 : at::randn({layer.outputs, layer.inputs, layer.kernel_height, layer.kernel_width},
                             on)
                       .contiguous(plain.format);
      const double scale = std::sqrt(2.0 / static_cast<double>(layer.fan_in()));
      plain.of_node[n].push_back(plain.add(weight * scale));
      if (node.bias) {
        plain.of_node[n].push_back(plain.add(at::zeros({layer.outputs}, on)));
      }
    } else if (node.norm >= 0) {
      const std::int64_t channels = node.shape.channels;
      plain.of_node[n] = {plain.add(at::ones({channels}, on)),
                          plain.add(at::zeros({channels}, on))};
      plain.running[n] = {at::zeros({channels}, on), at::ones({channels}, on)};
    } else if (node.operation == Operation::tokens) {
      const std::int64_t channels = node.shape.channels;
      plain.of_node[n] = {plain.add(0.02 * at::randn({1, 1, channels}, on)),
                          plain.add(0.02 * at::randn({1, node.shape.height, channels}, on))};
    }
  }
  return plain;
}

/// Tokens are [samples][tokens][channels], as transformers are written for LibTorch.
bool is_sequence(const at::Tensor& x) { return x.dim() == 3; }

at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                  std::int64_t heads) {
  const auto by_heads = [&](const at::Tensor& x) {
    return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
  };
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(2) / heads));
  const at::Tensor scores = at::matmul(by_heads(query) * scale, by_heads(key).transpose(2, 3));
  return at::matmul(at::softmax(scores, 3), by_heads(value)).transpose(1, 2).reshape(query.sizes());
}

at::Tensor apply(const PlainNetwork& plain, std::size_t n, const std::vector<at::Tensor>& values) {
  const Node& node = plain.network.nodes[n];
  const at::Tensor& x = values[static_cast<std::size_t>(node.inputs[0])];
  const Window& window = node.window;
  const at::Tensor bias =
      node.layer >= 0 && node.bias ? plain.factor(plain.of(n, 1)) : at::Tensor();
  switch (node.operation) {
    case Operation::input:
      break;
    case Operation::convolution:
      return at::conv2d(plain.factor(x), plain.factor(plain.of(n, 0)), bias, window.stride,
                        window.padding);
    case Operation::linear:
      return at::linear(plain.factor(is_sequence(x) ? x : x.flatten(1)),
                        plain.factor(plain.of(n, 0)), bias);
    case Operation::batch_norm:
      return at::batch_norm(x, plain.of(n, 0), plain.of(n, 1), plain.running[n][0],
                            plain.running[n][1], true, 0.1, 1e-5, false);
    case Operation::relu:
      return at::relu(x);
    case Operation::add:
      return x + values[static_cast<std::size_t>(node.inputs[1])];
    case Operation::max_pool:
      return at::max_pool2d(x, {window.height, window.width}, window.stride, window.padding);
    case Operation::average_pool:
      return at::avg_pool2d(x, {window.height, window.width}, window.stride, window.padding);
    case Operation::global_average_pool:
      return at::adaptive_avg_pool2d(x, {1, 1});
    case Operation::flatten:
      return x.flatten(1);
    case Operation::layer_norm:
      return at::layer_norm(x, {node.shape.channels}, plain.of(n, 0), plain.of(n, 1), 1e-6);
    case Operation::gelu:
      return at::gelu(x);
    case Operation::tokens:
      return at::cat({plain.of(n, 0).expand({x.size(0), 1, node.shape.channels}),
                      x.flatten(2).transpose(1, 2)},
                     1) +
             plain.of(n, 1);
    case Operation::attention:
      return attend(x, values[static_cast<std::size_t>(node.inputs[1])],
                    values[static_cast<std::size_t>(node.inputs[2])], node.heads);
    case Operation::first_token:
      return x.select(1, 0);
    case Operation::drop_path:
      break;
  }
  throw Error(node.name, "the plain step does not know this operation");
}

void optimise(PlainNetwork& plain, const std::vector<at::Tensor>& gradients) {
  const at::NoGradGuard no_gradient;
  for (std::size_t i = 0; i < plain.trained.size(); ++i) {
    const at::Tensor gradient = gradients[i].add(plain.trained[i], 1e-4);
    plain.momentum[i].mul_(0.9).add_(gradient);
    plain.trained[i].sub_(gradient.add(plain.momentum[i], 0.9), 1e-4);
  }
}

}  // namespace

std::function<void(int steps)> plain_torch_steps(const Network& network, const Batch& batch,
                                                 std::int64_t threads, ChannelOrder order,
                                                 Precision precision, const std::string& device) {
  const at::Device on(device);
  const auto plain = std::make_shared<PlainNetwork>(make_plain(network, order, precision, on));
  return [plain, batch, threads, on](int steps) {
    at::set_num_threads(static_cast<int>(threads));
    const Shape& shape = plain->network.input_shape();
    const at::Tensor images =
        at::from_blob(const_cast<float*>(batch.images.data()),
                      {batch.size(), shape.channels, shape.height, shape.width}, at::kFloat)
            .to(on)
            .contiguous(plain->format);
    const at::Tensor labels =
        at::from_blob(const_cast<std::int32_t*>(batch.labels.data()), {batch.size()}, at::kInt)
            .to(on, at::kLong);
    at::Tensor loss;
    for (int i = 0; i < steps; ++i) {
      std::vector<at::Tensor> values{images};
      for (std::size_t n = 1; n < plain->network.nodes.size(); ++n) {
        values.push_back(apply(*plain, n, values));
      }
      loss = at::cross_entropy_loss(values.back().flatten(1).to(at::kFloat), labels);
      optimise(*plain, torch::autograd::grad({loss}, plain->trained));
    }
    if (!std::isfinite(loss.item<float>())) {
      throw Error(plain->network.name, "the loss is not finite: what is timed is no training");
    }
  };
}

std::function<void()> plain_torch_step(const Network& network, const Batch& batch,
                                       std::int64_t threads, ChannelOrder order,
                                       Precision precision) {
  return
      [steps = plain_torch_steps(network, batch, threads, order, precision, "cpu")] { steps(1); };
}

}  // namespace gcg::bench
