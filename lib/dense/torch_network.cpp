#include "dense/torch_network.h"

#include <ATen/Parallel.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/add.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <utility>

#include "backend/check_batch.h"
#include "base/error.h"
#include "dense/norm_over_ranks.h"
#include "dense/transfer.h"
#include "dense/transformer.h"

namespace gcg {

namespace {

/// The positions that a 1x1 convolution with a stride looks at, close together. oneDNN 2.6, which
/// would skip the others itself, writes behind its memory in the weight gradient of such layers if
/// they are narrow (8 to 16 channels) and the image is large or the batch odd.
at::Tensor every(std::int64_t stride, const at::Tensor& x) {
  return x.slice(2, 0, x.size(2), stride)
      .slice(3, 0, x.size(3), stride)
      .contiguous(x.suggest_memory_format());
}

}  // namespace

ChannelOrder usual_order(const Network& network) {
  for (const Node& node : network.nodes) {
    if (node.operation == Operation::convolution) {
      return ChannelOrder::last;
    }
  }
  return ChannelOrder::first;
}

TorchNetwork::TorchNetwork(const Backend& backend, const Network& network, std::int64_t threads,
                           ChannelOrder order, const at::Device& device, Precision precision)
    : backend_(backend),
      network_(network),
      device_(device),
      threads_(static_cast<int>(threads)),
      format_(order == ChannelOrder::last ? at::MemoryFormat::ChannelsLast
                                          : at::MemoryFormat::Contiguous),
      precision_(precision),
      uses_(plan_uses(network)) {
  check_operations(backend, network);
  if (threads < 1 || threads > 1024) {
    throw Error("make_torch_executor", fmt::format("{} threads", threads), "ask for 1 to 1024");
  }
  for (const Node& node : network_.nodes) {
    const bool pool =
        node.operation == Operation::max_pool || node.operation == Operation::average_pool;
    if (pool && 2 * node.window.padding > std::min(node.window.height, node.window.width)) {
      throw Error(fmt::format("{}: {}", network_.name, node.name),
                  fmt::format("a {}x{} pooling with padding {} is more than LibTorch can do",
                              node.window.height, node.window.width, node.window.padding),
                  "pad by at most half of the window");
    }
  }
  for (const Layer& layer : network_.layers) {
    if (network_.nodes[static_cast<std::size_t>(layer.node)].operation == Operation::linear) {
      add_trained(ParameterKind::weight, {layer.outputs, layer.inputs});
    } else {
      add_trained(ParameterKind::weight,
                  {layer.outputs, layer.inputs, layer.kernel_height, layer.kernel_width});
    }
  }
  for (const Node& node : network_.nodes) {
    if (node.norm >= 0) {
      add_trained(ParameterKind::norm, {node.shape.channels});
      add_trained(ParameterKind::norm, {node.shape.channels});
      running_.emplace_back();
    }
    if (node.operation == Operation::batch_norm) {
      running_.back() = {at::zeros_like(trained_.back().value, at::kFloat),
                         at::zeros_like(trained_.back().value, at::kFloat)};
    }
  }
  for (const Layer& layer : network_.layers) {
    const bool has_bias = network_.nodes[static_cast<std::size_t>(layer.node)].bias;
    biases_.push_back(has_bias ? trained_.size() : 0);
    if (has_bias) {
      add_trained(ParameterKind::bias, {layer.outputs});
    }
  }
  if (const Node* tokens = tokens_node(network_)) {
    class_token_ = trained_.size();
    add_trained(ParameterKind::token, {tokens->shape.channels});
    add_trained(ParameterKind::token, {tokens->shape.channels, tokens->shape.positions()});
  }
}

void TorchNetwork::add_trained(ParameterKind kind, at::IntArrayRef sizes) {
  const auto format = sizes.size() == 4 ? format_ : at::MemoryFormat::Contiguous;
  Trained trained;
  trained.kind = kind;
  trained.value = at::empty(sizes, at::TensorOptions(device_).dtype(at::kFloat), format).zero_();
  trained.value.requires_grad_();
  trained_.push_back(std::move(trained));
}

void TorchNetwork::add_slot(std::string_view name) {
  slots_.emplace_back(name);
  for (Trained& trained : trained_) {
    trained.slots.push_back(at::zeros_like(trained.value, at::kFloat));
  }
}

template <typename F>
void TorchNetwork::write_parameters(F f, const Parameters& from) {
  for (std::size_t l = 0; l < network_.layers.size(); ++l) {
    assign(f(trained_[weight(l)]), from.weights[l]);
    if (bias(l) != 0) {
      assign(f(trained_[bias(l)]), from.biases[l]);
    }
  }
  for (std::size_t k = 0; k < running_.size(); ++k) {
    assign(f(trained_[scale(k)]), from.norms[k].scale);
    assign(f(trained_[shift(k)]), from.norms[k].shift);
  }
  if (class_token_ != 0) {
    assign(f(trained_[class_token_]), from.tokens.class_token);
    assign(f(trained_[class_token_ + 1]), from.tokens.positions);
  }
}

template <typename F>
Parameters TorchNetwork::read_parameters(F f) const {
  Parameters to;
  for (std::size_t l = 0; l < network_.layers.size(); ++l) {
    to.weights.push_back(plain(f(trained_[weight(l)])));
    to.biases.push_back(bias(l) != 0 ? plain(f(trained_[bias(l)])) : std::vector<float>{});
  }
  for (std::size_t k = 0; k < running_.size(); ++k) {
    to.norms.push_back({plain(f(trained_[scale(k)])), plain(f(trained_[shift(k)])), {}, {}});
  }
  if (class_token_ != 0) {
    to.tokens = {plain(f(trained_[class_token_])), plain(f(trained_[class_token_ + 1]))};
  }
  return to;
}

void TorchNetwork::write(const TrainingState& state) {
  check_state(network_, state);
  const c10::NoGradGuard no_autograd;
  write_parameters([](const Trained& trained) { return trained.value; }, state.values);
  slots_.clear();
  for (Trained& trained : trained_) {
    trained.slots.clear();
  }
  for (const auto& [name, slot] : state.slots) {
    add_slot(name);
    write_parameters([](const Trained& trained) { return trained.slots.back(); }, slot);
  }
  updates_ = state.updates;
  for (std::size_t k = 0; k < running_.size(); ++k) {
    if (running_[k].mean.defined()) {
      assign(running_[k].mean, state.values.norms[k].mean);
      assign(running_[k].variance, state.values.norms[k].variance);
    }
  }
  for (std::size_t l = 0; l < network_.layers.size(); ++l) {
    std::vector<float> present(static_cast<std::size_t>(state.mask.layers[l].size()), 0.0F);
    state.mask.layers[l].for_each_present(
        [&](std::int64_t i) { present[static_cast<std::size_t>(i)] = 1.0F; });
    Trained& trained = trained_[weight(l)];
    const at::Tensor numbers = at::empty_like(trained.value, at::kFloat);
    assign(numbers, present);
    if (!trained.absent.defined()) {
      trained.absent = at::empty_like(trained.value, at::kBool);
    }
    trained.absent.copy_(numbers.eq(0));
  }
  mask_ = state.mask;
  written_ = true;
  has_gradients_ = false;
}

TrainingState TorchNetwork::read() const {
  if (!written_) {
    throw Error("Executor::read", "the executor has no state yet", "write one first");
  }
  TrainingState state{read_parameters([](const Trained& trained) { return trained.value; }), mask_};
  for (std::size_t k = 0; k < running_.size(); ++k) {
    if (running_[k].mean.defined()) {
      state.values.norms[k].mean = plain(running_[k].mean);
      state.values.norms[k].variance = plain(running_[k].variance);
    }
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    state.slots.push_back(
        {slots_[i], read_parameters([&](const Trained& trained) { return trained.slots[i]; })});
  }
  state.updates = updates_;
  return state;
}

Parameters TorchNetwork::gradients() const {
  if (!has_gradients_) {
    throw Error("Executor::gradients", "there are no gradients", "call forward_backward first");
  }
  return read_parameters([](const Trained& trained) { return trained.gradient; });
}

void TorchNetwork::prepare(std::string_view call, const Batch& batch, Mode mode, bool holds) const {
  check_batch(network_, call, batch, mode != Mode::evaluation, holds);
  check_share(network_, call, batch, ranks_);
  if (!written_) {
    throw Error(fmt::format("{}: {}", network_.name, call), "the executor has no state yet",
                "write one first");
  }
  // The number is one of the calling thread, and setting it throws caches away.
  if (at::get_num_threads() != threads_) {
    at::set_num_threads(threads_);
  }
}

at::Tensor TorchNetwork::normalised(const Node& node, const at::Tensor& x, Mode mode,
                                    std::int64_t of) const {
  const auto k = static_cast<std::size_t>(node.norm);
  const bool keeps = mode == Mode::pure_training;  // the running statistics as they are
  if (of > 0 && sync_norms_) {
    return norm_over_ranks(x.to(at::kFloat), trained_[scale(k)].value, trained_[shift(k)].value,
                           keeps ? at::Tensor() : running_[k].mean,
                           keeps ? at::Tensor() : running_[k].variance, *exchange_, of)
        .to(x.scalar_type());
  }
  return at::batch_norm(x, trained_[scale(k)].value, trained_[shift(k)].value,
                        keeps ? at::Tensor() : running_[k].mean,
                        keeps ? at::Tensor() : running_[k].variance, mode != Mode::evaluation,
                        kNormMomentum, kNormEpsilon, false);
}

at::Tensor TorchNetwork::apply(const Node& node, bool in_place,
                               const std::vector<at::Tensor>& values, Mode mode, std::int64_t of,
                               const at::Tensor& factors) const {
  const auto input = [&](std::size_t i) -> const at::Tensor& {
    return values[static_cast<std::size_t>(node.inputs[i])];
  };
  const at::Tensor& x = input(0);
  const Window& window = node.window;
  const std::size_t layer = static_cast<std::size_t>(node.layer);
  switch (node.operation) {
    case Operation::input:
      break;
    case Operation::convolution: {
      const bool skips = window.height == 1 && window.width == 1 && window.stride > 1;
      if (skips && window.padding == 0) {
        return at::conv2d(every(window.stride, factor(x)), factor(trained_[weight(layer)].value),
                          bias_factor(layer));
      }
      return at::conv2d(factor(x), factor(trained_[weight(layer)].value), bias_factor(layer),
                        window.stride, window.padding);
    }
    case Operation::linear:
      if (node.shape.positions() > 1) {
        return linear_at_positions(factor(x), factor(trained_[weight(layer)].value),
                                   bias_factor(layer));
      }
      return at::linear(factor(x.flatten(1)), factor(trained_[weight(layer)].value),
                        bias_factor(layer))
          .view({-1, node.shape.channels, 1, 1});
    case Operation::batch_norm:
      return normalised(node, x, mode, of);
    case Operation::relu:
      return in_place ? x.relu_() : at::relu(x);
    case Operation::add:
      return in_place ? x.add_(input(1)) : at::add(x, input(1));
    case Operation::max_pool:
      return at::max_pool2d(x, {window.height, window.width}, window.stride, window.padding);
    case Operation::average_pool:
      return at::avg_pool2d(x, {window.height, window.width}, window.stride, window.padding);
    case Operation::global_average_pool:
      return at::adaptive_avg_pool2d(x, {1, 1});
    case Operation::flatten:
      return x.reshape({-1, node.shape.channels, 1, 1});
    case Operation::layer_norm: {
      const auto k = static_cast<std::size_t>(node.norm);
      return layer_norm(precision_ == Precision::bf16 ? x.to(at::kFloat) : x,
                        trained_[scale(k)].value, trained_[shift(k)].value);
    }
    case Operation::gelu:
      return at::gelu(x);
    case Operation::tokens:
      return make_tokens(x, trained_[class_token_].value, trained_[class_token_ + 1].value);
    case Operation::attention:
      return attention(factor(x), factor(input(1)), factor(input(2)), node.heads);
    case Operation::first_token:
      return first_token(x);
    case Operation::drop_path:
      return factors.defined() ? scale_samples(x, factors[node.drop]) : x;
  }
  throw Error(fmt::format("{}: {}", network_.name, node.name),
              fmt::format("cannot run the operation {}", operation_name(node.operation)));
}

at::Tensor TorchNetwork::factor(const at::Tensor& x) const {
  return precision_ == Precision::bf16 ? x.to(at::kBFloat16) : x;
}

at::Tensor TorchNetwork::bias_factor(std::size_t layer) const {
  return bias(layer) != 0 ? factor(trained_[bias(layer)].value) : at::Tensor();
}

at::Tensor TorchNetwork::images(const Batch& batch) const {
  const Shape& shape = network_.input_shape();
  return to_device(batch.images, {batch.size(), shape.channels, shape.height, shape.width}, device_)
      .contiguous(format_);
}

at::Tensor TorchNetwork::branch_factors(const Batch& batch) const {
  if (batch.branch_factors.empty()) {
    return {};
  }
  return to_device(batch.branch_factors, {network_.drop_count, batch.size()}, device_);
}

at::Tensor TorchNetwork::forward(const at::Tensor& images, Mode mode, std::int64_t of,
                                 const at::Tensor& factors) const {
  std::vector<at::Tensor> values(network_.nodes.size());
  values[0] = images;  // only read: no operation works in place on the input
  for (std::size_t n = 1; n < values.size(); ++n) {
    values[n] = apply(network_.nodes[n], uses_[n].in_place, values, mode, of, factors);
    for (const std::int32_t done : uses_[n].last_reads) {
      values[static_cast<std::size_t>(done)].reset();
    }
  }
  return values.back().flatten(1).to(at::kFloat).contiguous();
}

std::vector<at::Tensor> TorchNetwork::differentiate(const at::Tensor& logits,
                                                    const at::Tensor& logit_gradient) const {
  std::vector<at::Tensor> values;
  for (const Trained& trained : trained_) {
    values.push_back(trained.value);
  }
  std::vector<at::Tensor> gradients = torch::autograd::grad({logits}, values, {logit_gradient});
  for (std::size_t i = 0; i < values.size(); ++i) {
    at::Tensor& gradient = gradients[i];
    if (gradient.strides() != values[i].strides()) {
      gradient = at::empty_like(values[i], at::kFloat).copy_(gradient);
    }
  }
  return gradients;
}

std::vector<at::Tensor> TorchNetwork::masked(std::vector<at::Tensor> gradients) const {
  for (std::size_t i = 0; i < trained_.size(); ++i) {
    if (trained_[i].absent.defined()) {
      gradients[i].masked_fill_(trained_[i].absent, 0);  // whatever stood there, NaN too
    }
  }
  return gradients;
}

void TorchNetwork::join(Ranks& ranks, bool sync_norms) {
  ranks_ = &ranks;
  exchange_ = ranks.tensors_on(device_.str());
  if (exchange_ == nullptr) {
    on_host_ = exchange_on_host(ranks);
    exchange_ = on_host_.get();
  }
  sync_norms_ = sync_norms;
}

void TorchNetwork::add_shares(std::vector<at::Tensor>& gradients, double part, Mode mode) const {
  const c10::NoGradGuard no_autograd;
  std::vector<at::Tensor> arrays = gradients;
  if (!sync_norms_ && mode == Mode::training) {
    for (const RunningStatistics& running : running_) {
      if (running.mean.defined()) {
        arrays.push_back(running.mean.mul_(part));
        arrays.push_back(running.variance.mul_(part));
      }
    }
  }
  std::vector<at::Tensor> flat;
  for (const at::Tensor& array : arrays) {
    flat.push_back(array.as_strided({array.numel()}, {1}));  // dense, in whichever order
  }
  const at::Tensor sums = at::cat(flat);
  exchange_->sum(sums);
  std::int64_t begin = 0;
  for (const at::Tensor& array : flat) {
    array.copy_(sums.narrow(0, begin, array.numel()));
    begin += array.numel();
  }
}

void TorchNetwork::keep(std::vector<at::Tensor> gradients) {
  for (std::size_t i = 0; i < trained_.size(); ++i) {
    trained_[i].gradient = std::move(gradients[i]);
  }
  has_gradients_ = true;
}

std::vector<std::vector<float>> TorchNetwork::of_weights(
    const std::vector<at::Tensor>& gradients) const {
  std::vector<std::vector<float>> weights;
  for (std::size_t l = 0; l < network_.layers.size(); ++l) {
    weights.push_back(plain(gradients[weight(l)]));
  }
  return weights;
}

void TorchNetwork::begin_step(const OptimiserStep& step) {
  check_step(step);
  check_optimiser(backend_, step);
  check_slots(*step.optimiser, slots_);
  if (!has_gradients_) {
    throw Error("Executor::step", "there are no gradients", "call forward_backward first");
  }
  if (slots_.empty()) {
    for (const OptimiserSlot& slot : step.optimiser->slots) {
      add_slot(slot.name);
    }
  }
  updates_ += step.optimiser->counts_updates ? 1 : 0;
}

}  // namespace gcg
