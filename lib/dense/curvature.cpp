#include "dense/curvature.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/nll_loss.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include "base/error.h"
#include "dense/transfer.h"
#include "dense/transformer.h"

namespace gcg {

namespace {

at::Tensor tensor(std::span<const float> values, at::IntArrayRef sizes, at::ScalarType type) {
  return to_device(values, sizes, at::kCPU).clone().to(type);
}

std::vector<std::int64_t> weight_sizes(const Network& network, const Layer& layer) {
  const Node& node = network.nodes[static_cast<std::size_t>(layer.node)];
  if (node.operation == Operation::linear) {
    return {layer.outputs, layer.inputs};
  }
  return {layer.outputs, layer.inputs, layer.kernel_height, layer.kernel_width};
}

/// One forward pass out of operations that can be differentiated twice.
at::Tensor logits(const Network& network, const Parameters& values,
                  const std::vector<at::Tensor>& weights, const Batch& batch, at::ScalarType type) {
  const Shape& shape = network.input_shape();
  std::vector<at::Tensor> nodes;
  for (const Node& node : network.nodes) {
    const at::Tensor x =
        node.inputs.empty() ? at::Tensor() : nodes[static_cast<std::size_t>(node.inputs[0])];
    const Window& window = node.window;
    const auto l = static_cast<std::size_t>(node.layer);
    const auto bias = [&] {
      return node.bias ? tensor(values.biases[l], {node.shape.channels}, type) : at::Tensor();
    };
    switch (node.operation) {
      case Operation::input:
        nodes.push_back(
            tensor(batch.images, {batch.size(), shape.channels, shape.height, shape.width}, type));
        break;
      case Operation::convolution:
        nodes.push_back(at::conv2d(x, weights[l], bias(), window.stride, window.padding));
        break;
      case Operation::linear:
        nodes.push_back(linear_at_positions(x, weights[l], bias()));
        break;
      case Operation::batch_norm: {
        const NormParameters& norm = values.norms[static_cast<std::size_t>(node.norm)];
        const at::Tensor centred = x - x.mean({0, 2, 3}, true);
        const at::Tensor variance = (centred * centred).mean({0, 2, 3}, true);
        nodes.push_back(centred * at::rsqrt(variance + kNormEpsilon) *
                            tensor(norm.scale, {1, node.shape.channels, 1, 1}, type) +
                        tensor(norm.shift, {1, node.shape.channels, 1, 1}, type));
        break;
      }
      case Operation::relu:
        nodes.push_back(at::relu(x));
        break;
      case Operation::add:
        nodes.push_back(x + nodes[static_cast<std::size_t>(node.inputs[1])]);
        break;
      case Operation::max_pool:
        nodes.push_back(
            at::max_pool2d(x, {window.height, window.width}, window.stride, window.padding));
        break;
      case Operation::average_pool:
        nodes.push_back(
            at::avg_pool2d(x, {window.height, window.width}, window.stride, window.padding));
        break;
      case Operation::global_average_pool:
        nodes.push_back(x.mean({2, 3}, true));
        break;
      case Operation::flatten:
        nodes.push_back(x.reshape({-1, node.shape.channels, 1, 1}));
        break;
      case Operation::layer_norm: {
        const NormParameters& norm = values.norms[static_cast<std::size_t>(node.norm)];
        nodes.push_back(layer_norm(x, tensor(norm.scale, {node.shape.channels}, type),
                                   tensor(norm.shift, {node.shape.channels}, type)));
        break;
      }
      case Operation::gelu:
        nodes.push_back(at::gelu(x));
        break;
      case Operation::tokens:
        nodes.push_back(make_tokens(
            x, tensor(values.tokens.class_token, {node.shape.channels}, type),
            tensor(values.tokens.positions, {node.shape.channels, node.shape.height}, type)));
        break;
      case Operation::attention:
        nodes.push_back(attention(x, nodes[static_cast<std::size_t>(node.inputs[1])],
                                  nodes[static_cast<std::size_t>(node.inputs[2])], node.heads));
        break;
      case Operation::first_token:
        nodes.push_back(first_token(x));
        break;
      case Operation::drop_path: {
        const std::span<const float> factors = batch.branch_factors;
        const auto samples = static_cast<std::size_t>(batch.size());
        nodes.push_back(
            factors.empty()
                ? x
                : scale_samples(
                      x, tensor(factors.subspan(static_cast<std::size_t>(node.drop) * samples,
                                                samples),
                                {batch.size()}, type)));
        break;
      }
    }
  }
  return nodes.back().flatten(1);
}

}  // namespace

std::vector<std::vector<float>> hessian_product(const Network& network, const TrainingState& state,
                                                const std::vector<std::vector<float>>& direction,
                                                const Batch& batch, std::int64_t threads,
                                                bool in_double) {
  check_sizes(network, state.values);
  check_sizes(network, state.mask);
  if (std::ssize(batch.images) != batch.size() * network.input_shape().elements() ||
      batch.size() == 0 || direction.size() != network.layers.size()) {
    throw Error(fmt::format("{}: hessian_product", network.name),
                fmt::format("{} labels, {} values of images, directions of {} layers", batch.size(),
                            batch.images.size(), direction.size()));
  }
  at::set_num_threads(static_cast<int>(threads));
  const at::ScalarType type = in_double ? at::kDouble : at::kFloat;
  std::vector<at::Tensor> weights;
  std::vector<at::Tensor> along;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    if (std::ssize(direction[l]) != layer.connections()) {
      throw Error(fmt::format("{}: {}", network.name, layer.name),
                  fmt::format("a direction of {} values for {} connections", direction[l].size(),
                              layer.connections()));
    }
    const std::vector<std::int64_t> sizes = weight_sizes(network, layer);
    weights.push_back(tensor(state.values.weights[l], sizes, type).requires_grad_());
    std::vector<float> present(direction[l].size(), 0.0F);
    state.mask.layers[l].for_each_present([&](std::int64_t i) {
      present[static_cast<std::size_t>(i)] = direction[l][static_cast<std::size_t>(i)];
    });
    along.push_back(tensor(present, sizes, type));
  }
  const at::Tensor logarithms =
      at::log_softmax(logits(network, state.values, weights, batch, type), 1);
  const auto loss_of = [&](std::span<const std::int32_t> labels) {
    const std::vector<std::int64_t> wide(labels.begin(), labels.end());
    return at::nll_loss(logarithms, to_device(wide, {batch.size()}, at::kCPU).clone());
  };
  at::Tensor loss = loss_of(batch.labels);
  if (!batch.second_labels.empty()) {
    loss = (1 - batch.second_share) * loss + batch.second_share * loss_of(batch.second_labels);
  }
  if (batch.label_smoothing > 0) {
    loss = (1 - batch.label_smoothing) * loss - batch.label_smoothing * logarithms.mean();
  }
  const std::vector<at::Tensor> gradients = torch::autograd::grad({loss}, weights, {}, true, true);
  at::Tensor slope = at::zeros({}, type);
  for (std::size_t l = 0; l < gradients.size(); ++l) {
    slope = slope + (gradients[l] * along[l]).sum();
  }
  const std::vector<at::Tensor> products = torch::autograd::grad({slope}, weights);
  std::vector<std::vector<float>> result;
  for (std::size_t l = 0; l < products.size(); ++l) {
    const std::vector<float> values = plain(products[l]);
    std::vector<float>& layer = result.emplace_back(direction[l].size(), 0.0F);
    state.mask.layers[l].for_each_present([&](std::int64_t i) {
      layer[static_cast<std::size_t>(i)] = values[static_cast<std::size_t>(i)];
    });
  }
  return result;
}

}  // namespace gcg
