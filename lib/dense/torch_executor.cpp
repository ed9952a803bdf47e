#include "dense/torch_executor.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/add.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <malloc.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "backend/backends.h"
#include "backend/check_batch.h"
#include "backend/softmax_loss.h"
#include "base/error.h"
#include "dense/plan.h"
#include "dense/transfer.h"
#include "dense/transformer.h"

namespace gcg {

namespace {

enum class Mode : std::uint8_t { training, pure_training, evaluation };

/// A tensor that training changes, with what belongs to it. All lie in memory in the same
/// order.
struct Trained {
  ParameterKind kind = ParameterKind::weight;
  at::Tensor value;                 ///< a leaf of the autograd graph
  at::Tensor gradient;              ///< of the last forward_backward
  at::Tensor absent;                ///< Booleans; undefined where there is no mask
  std::vector<at::Tensor> slots{};  ///< of the optimiser; none before its first update
};

/// Of a batch normalisation; undefined for a layer normalisation.
struct RunningStatistics {
  at::Tensor mean;
  at::Tensor variance;
};

class TorchExecutor final : public Executor {
 public:
  TorchExecutor(const Network& network, std::int64_t threads, ChannelOrder order,
                const at::Device& device);

  const Network& network() const override { return network_; }
  void write(const TrainingState& state) override;
  TrainingState read() const override;
  BatchSums forward_backward(const Batch& batch) override;
  void step(const OptimiserStep& step) override;
  BatchSums evaluate(const Batch& batch, const PerSample& each) override;
  std::vector<std::vector<float>> dense_gradients(const Batch& batch) override;
  Parameters gradients() const override;

 private:
  struct Differentiated {
    BatchSums sums;
    std::vector<at::Tensor> gradients;  ///< as trained_, each in its value's memory order
  };

  void add_trained(ParameterKind kind, at::IntArrayRef sizes);
  void add_slot(std::string_view name);
  /// Where the tensors of a layer or a normalisation stand in trained_.
  std::size_t weight(std::size_t layer) const { return layer; }
  std::size_t scale(std::size_t norm) const { return network_.layers.size() + 2 * norm; }
  std::size_t shift(std::size_t norm) const { return scale(norm) + 1; }
  std::size_t bias(std::size_t layer) const { return biases_[layer]; }
  at::Tensor bias_value(std::size_t layer) const {
    return bias(layer) != 0 ? trained_[bias(layer)].value : at::Tensor();
  }

  /// The tensors f(trained), values, gradients or slots, in plain memory without running
  /// statistics.
  template <typename F>
  Parameters read_parameters(F f) const;
  template <typename F>
  void write_parameters(F f, const Parameters& from);

  void prepare(std::string_view call, const Batch& batch, Mode mode) const;
  at::Tensor forward(const Batch& batch, Mode mode) const;
  at::Tensor apply(const Node& node, bool in_place, const std::vector<at::Tensor>& values,
                   Mode mode) const;
  at::Tensor normalised(const Node& node, const at::Tensor& x, Mode mode) const;
  Differentiated differentiate(const Batch& batch, Mode mode) const;

  const Backend& backend_ = find_backend("dense");
  Network network_;
  at::Device device_;
  int threads_;
  at::MemoryFormat format_;
  std::vector<NodeUse> uses_;
  std::vector<std::size_t> biases_;  ///< per layer: its bias in trained_, or 0 if it has none
  std::size_t class_token_ = 0;      ///< in trained_, before the position table; 0: no tokens
  /// Weights, then gammas and betas, then biases, then class token and position table.
  std::vector<Trained> trained_;
  std::vector<RunningStatistics> running_;
  Mask mask_;
  std::vector<std::string> slots_;  ///< their names; none before the first update
  std::int64_t updates_ = 0;
  bool written_ = false;
  bool has_gradients_ = false;
};

/// The positions that a 1x1 convolution with a stride looks at, close together. oneDNN 2.6, which
/// would skip the others itself, writes behind its memory in the weight gradient of such layers if
/// they are narrow (8 to 16 channels) and the image is large or the batch odd.
at::Tensor every(std::int64_t stride, const at::Tensor& x) {
  return x.slice(2, 0, x.size(2), stride)
      .slice(3, 0, x.size(3), stride)
      .contiguous(x.suggest_memory_format());
}

/// Channels-last where a network convolves: a training step of a CIFAR ResNet (widths 8 to 32, one
/// thread) takes 0.7 to 0.8 of the time that it takes with contiguous channels.
ChannelOrder usual_order(const Network& network) {
  for (const Node& node : network.nodes) {
    if (node.operation == Operation::convolution) {
      return ChannelOrder::last;
    }
  }
  return ChannelOrder::first;
}

TorchExecutor::TorchExecutor(const Network& network, std::int64_t threads, ChannelOrder order,
                             const at::Device& device)
    : network_(network),
      device_(device),
      threads_(static_cast<int>(threads)),
      format_(order == ChannelOrder::last ? at::MemoryFormat::ChannelsLast
                                          : at::MemoryFormat::Contiguous),
      uses_(plan_uses(network)) {
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

void TorchExecutor::add_trained(ParameterKind kind, at::IntArrayRef sizes) {
  const auto format = sizes.size() == 4 ? format_ : at::MemoryFormat::Contiguous;
  Trained trained;
  trained.kind = kind;
  trained.value = at::empty(sizes, at::TensorOptions(device_).dtype(at::kFloat), format).zero_();
  trained.value.requires_grad_();
  trained_.push_back(std::move(trained));
}

void TorchExecutor::add_slot(std::string_view name) {
  slots_.emplace_back(name);
  for (Trained& trained : trained_) {
    trained.slots.push_back(at::zeros_like(trained.value, at::kFloat));
  }
}

template <typename F>
void TorchExecutor::write_parameters(F f, const Parameters& from) {
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
Parameters TorchExecutor::read_parameters(F f) const {
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

void TorchExecutor::write(const TrainingState& state) {
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
    trained.absent = at::empty_like(trained.value, at::kFloat);
    assign(trained.absent, present);
    trained.absent = trained.absent.eq(0);
  }
  mask_ = state.mask;
  written_ = true;
  has_gradients_ = false;
}

TrainingState TorchExecutor::read() const {
  if (!written_) {
    throw Error("TorchExecutor::read", "the executor has no state yet", "write one first");
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

Parameters TorchExecutor::gradients() const {
  if (!has_gradients_) {
    throw Error("TorchExecutor::gradients", "there are no gradients",
                "call forward_backward first");
  }
  return read_parameters([](const Trained& trained) { return trained.gradient; });
}

void TorchExecutor::prepare(std::string_view call, const Batch& batch, Mode mode) const {
  check_batch(network_, call, batch, mode != Mode::evaluation);
  if (!written_) {
    throw Error(fmt::format("{}: {}", network_.name, call), "the executor has no state yet",
                "write one first");
  }
  // The number is one of the calling thread, and setting it throws caches away.
  if (at::get_num_threads() != threads_) {
    at::set_num_threads(threads_);
  }
}

at::Tensor TorchExecutor::normalised(const Node& node, const at::Tensor& x, Mode mode) const {
  const auto k = static_cast<std::size_t>(node.norm);
  const bool keeps = mode == Mode::pure_training;  // the running statistics as they are
  return at::batch_norm(x, trained_[scale(k)].value, trained_[shift(k)].value,
                        keeps ? at::Tensor() : running_[k].mean,
                        keeps ? at::Tensor() : running_[k].variance, mode != Mode::evaluation,
                        kNormMomentum, kNormEpsilon, false);
}

at::Tensor TorchExecutor::apply(const Node& node, bool in_place,
                                const std::vector<at::Tensor>& values, Mode mode) const {
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
        return at::conv2d(every(window.stride, x), trained_[weight(layer)].value,
                          bias_value(layer));
      }
      return at::conv2d(x, trained_[weight(layer)].value, bias_value(layer), window.stride,
                        window.padding);
    }
    case Operation::linear:
      if (node.shape.positions() > 1) {
        return linear_at_positions(x, trained_[weight(layer)].value, bias_value(layer));
      }
      return at::linear(x.flatten(1), trained_[weight(layer)].value, bias_value(layer))
          .view({-1, node.shape.channels, 1, 1});
    case Operation::batch_norm:
      return normalised(node, x, mode);
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
      return layer_norm(x, trained_[scale(k)].value, trained_[shift(k)].value);
    }
    case Operation::gelu:
      return at::gelu(x);
    case Operation::tokens:
      return make_tokens(x, trained_[class_token_].value, trained_[class_token_ + 1].value);
    case Operation::attention:
      return attention(x, input(1), input(2), node.heads);
    case Operation::first_token:
      return first_token(x);
  }
  throw Error(fmt::format("{}: {}", network_.name, node.name),
              fmt::format("cannot run the operation {}", operation_name(node.operation)));
}

at::Tensor TorchExecutor::forward(const Batch& batch, Mode mode) const {
  const Shape& shape = network_.input_shape();
  std::vector<at::Tensor> values(network_.nodes.size());
  // Only read: no operation works in place on the input.
  values[0] =
      to_device(batch.images, {batch.size(), shape.channels, shape.height, shape.width}, device_)
          .contiguous(format_);
  for (std::size_t n = 1; n < values.size(); ++n) {
    values[n] = apply(network_.nodes[n], uses_[n].in_place, values, mode);
    for (const std::int32_t done : uses_[n].last_reads) {
      values[static_cast<std::size_t>(done)].reset();
    }
  }
  return values.back().flatten(1).contiguous();
}

TorchExecutor::Differentiated TorchExecutor::differentiate(const Batch& batch, Mode mode) const {
  const at::Tensor logits = forward(batch, mode);
  const at::Tensor on_host = logits.detach().to(at::kCPU);
  const at::Tensor logit_gradient = at::empty_like(on_host, at::kFloat);
  Differentiated result;
  result.sums = softmax_loss(host_memory(on_host), batch.labels, host_memory(logit_gradient), {});
  std::vector<at::Tensor> values;
  for (const Trained& trained : trained_) {
    values.push_back(trained.value);
  }
  result.gradients = torch::autograd::grad({logits}, values, {logit_gradient.to(device_)});
  for (std::size_t i = 0; i < values.size(); ++i) {
    at::Tensor& gradient = result.gradients[i];
    if (gradient.strides() != values[i].strides()) {
      gradient = at::empty_like(values[i], at::kFloat).copy_(gradient);
    }
  }
  return result;
}

BatchSums TorchExecutor::forward_backward(const Batch& batch) {
  prepare("forward_backward", batch, Mode::training);
  Differentiated result = differentiate(batch, Mode::training);
  for (std::size_t i = 0; i < trained_.size(); ++i) {
    trained_[i].gradient = std::move(result.gradients[i]);
    if (trained_[i].absent.defined()) {
      trained_[i].gradient.masked_fill_(trained_[i].absent, 0);  // whatever stood there, NaN too
    }
  }
  has_gradients_ = true;
  return result.sums;
}

std::vector<std::vector<float>> TorchExecutor::dense_gradients(const Batch& batch) {
  prepare("dense_gradients", batch, Mode::pure_training);
  const Differentiated result = differentiate(batch, Mode::pure_training);
  std::vector<std::vector<float>> gradients;
  for (std::size_t l = 0; l < network_.layers.size(); ++l) {
    gradients.push_back(plain(result.gradients[weight(l)]));
  }
  return gradients;
}

BatchSums TorchExecutor::evaluate(const Batch& batch, const PerSample& each) {
  prepare("evaluate", batch, Mode::evaluation);
  check_room(network_, "evaluate", batch, each);
  const c10::InferenceMode no_autograd;
  const at::Tensor logits = forward(batch, Mode::evaluation).to(at::kCPU);
  return softmax_loss(host_memory(logits), batch.labels, {}, each);
}

void TorchExecutor::step(const OptimiserStep& step) {
  check_step(step);
  check_optimiser(backend_, step);
  check_slots(*step.optimiser, slots_);
  if (!has_gradients_) {
    throw Error("TorchExecutor::step", "there are no gradients", "call forward_backward first");
  }
  if (slots_.empty()) {
    for (const OptimiserSlot& slot : step.optimiser->slots) {
      add_slot(slot.name);
    }
  }
  updates_ += step.optimiser->counts_updates ? 1 : 0;
  for (const Trained& trained : trained_) {
    ArrayUpdate update{
        trained.kind, host_memory(trained.value), host_memory(trained.gradient), {}, updates_};
    std::ranges::transform(trained.slots, update.slots.begin(), host_memory);
    step.optimiser->update(step, update);
  }
}

}  // namespace

std::unique_ptr<Executor> make_torch_executor(const Network& network, std::int64_t threads,
                                              const std::string& device) {
  return make_torch_executor(network, threads, usual_order(network), device);
}

std::unique_ptr<Executor> make_torch_executor(const Network& network, std::int64_t threads,
                                              ChannelOrder order, const std::string& device) {
  // Every step allocates and frees the same activations. By default glibc gives them back to the
  // system and faults their pages in anew each time, about a tenth of a step.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  check_operations(find_backend("dense"), network);
  return std::make_unique<TorchExecutor>(network, threads, order, at::Device(device));
}

}  // namespace gcg
