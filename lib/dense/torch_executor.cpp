#include "dense/torch_executor.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/add.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <malloc.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "backend/check_batch.h"
#include "backend/softmax_loss.h"
#include "base/error.h"
#include "dense/fused_norm.h"
#include "dense/masked_sgd.h"
#include "dense/plan.h"
#include "dense/transformer.h"

namespace gcg {

namespace {

enum class Mode : std::uint8_t { training, pure_training, evaluation };

/// The elements of a tensor in the order they lie in memory.
std::span<float> memory(const at::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

/// Copies plain row-major memory into a tensor of any memory format, and back.
void assign(const at::Tensor& tensor, const std::vector<float>& from) {
  // LibTorch has no tensors of constants; this one is only read.
  tensor.copy_(at::from_blob(const_cast<float*>(from.data()), tensor.sizes(), at::kFloat));
}

std::vector<float> plain(const at::Tensor& tensor) {
  std::vector<float> to(static_cast<std::size_t>(tensor.numel()));
  at::from_blob(to.data(), tensor.sizes(), at::kFloat).copy_(tensor.detach());
  return to;
}

/// A tensor that training changes, with what belongs to it. All lie in memory in the same
/// order.
struct Trained {
  at::Tensor value;  ///< a leaf of the autograd graph
  at::Tensor momentum;
  at::Tensor squares;    ///< of AdamW; undefined before its first update
  at::Tensor gradient;   ///< of the last forward_backward
  at::Tensor selectors;  ///< int32: 0 where absent, -1 elsewhere; undefined where there is no mask
};

/// Of a batch normalisation; undefined for a layer normalisation.
struct RunningStatistics {
  at::Tensor mean;
  at::Tensor variance;
};

class TorchExecutor final : public Executor {
 public:
  TorchExecutor(const Network& network, std::int64_t threads, ChannelOrder order);

  const Network& network() const override { return network_; }
  void write(const TrainingState& state) override;
  TrainingState read() const override;
  BatchSums forward_backward(const Batch& batch) override;
  void step(const SgdStep& step) override;
  void adamw_step(const AdamWStep& step) override;
  BatchSums evaluate(const Batch& batch, const PerSample& each) override;
  std::vector<std::vector<float>> dense_gradients(const Batch& batch) override;
  Parameters gradients() const override;

 private:
  struct Differentiated {
    BatchSums sums;
    std::vector<at::Tensor> gradients;  ///< as trained_, each in its value's memory order
  };

  void add_trained(at::IntArrayRef sizes);
  void add_squares();
  /// Where the tensors of a layer or a normalisation stand in trained_.
  std::size_t weight(std::size_t layer) const { return layer; }
  std::size_t scale(std::size_t norm) const { return network_.layers.size() + 2 * norm; }
  std::size_t shift(std::size_t norm) const { return scale(norm) + 1; }
  std::size_t bias(std::size_t layer) const { return biases_[layer]; }
  at::Tensor bias_value(std::size_t layer) const {
    return bias(layer) != 0 ? trained_[bias(layer)].value : at::Tensor();
  }

  /// Values, slots or gradients in plain memory, without running statistics.
  Parameters read_parameters(at::Tensor Trained::*what) const;
  void write_parameters(at::Tensor Trained::*what, const Parameters& from);

  void prepare(std::string_view call, const Batch& batch, Mode mode) const;
  at::Tensor forward(const Batch& batch, Mode mode) const;
  at::Tensor apply(const Instruction& instruction, const std::vector<at::Tensor>& values,
                   Mode mode) const;
  Differentiated differentiate(const Batch& batch, Mode mode) const;

  Network network_;
  int threads_;
  at::MemoryFormat format_;
  std::vector<Instruction> plan_;
  std::vector<std::size_t> biases_;  ///< per layer: its bias in trained_, or 0 if it has none
  std::size_t class_token_ = 0;      ///< in trained_, before the position table; 0: no tokens
  /// Weights, then gammas and betas, then biases, then class token and position table.
  std::vector<Trained> trained_;
  std::vector<RunningStatistics> running_;
  Mask mask_;
  std::optional<std::int64_t> adamw_updates_;  ///< if there are squares
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

TorchExecutor::TorchExecutor(const Network& network, std::int64_t threads, ChannelOrder order)
    : network_(network),
      threads_(static_cast<int>(threads)),
      format_(order == ChannelOrder::last ? at::MemoryFormat::ChannelsLast
                                          : at::MemoryFormat::Contiguous),
      plan_(make_plan(network)) {
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
      add_trained({layer.outputs, layer.inputs});
    } else {
      add_trained({layer.outputs, layer.inputs, layer.kernel_height, layer.kernel_width});
    }
  }
  for (const Node& node : network_.nodes) {
    if (node.norm >= 0) {
      add_trained({node.shape.channels});
      add_trained({node.shape.channels});
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
      add_trained({layer.outputs});
    }
  }
  if (const Node* tokens = tokens_node(network_)) {
    class_token_ = trained_.size();
    add_trained({tokens->shape.channels});
    add_trained({tokens->shape.channels, tokens->shape.positions()});
  }
}

void TorchExecutor::add_trained(at::IntArrayRef sizes) {
  const auto format = sizes.size() == 4 ? format_ : at::MemoryFormat::Contiguous;
  Trained trained;
  trained.value = at::empty(sizes, at::kFloat, format).zero_();
  trained.momentum = at::zeros_like(trained.value);
  trained.value.requires_grad_();
  trained_.push_back(std::move(trained));
}

void TorchExecutor::write_parameters(at::Tensor Trained::*what, const Parameters& from) {
  for (std::size_t l = 0; l < network_.layers.size(); ++l) {
    assign(trained_[weight(l)].*what, from.weights[l]);
    if (bias(l) != 0) {
      assign(trained_[bias(l)].*what, from.biases[l]);
    }
  }
  for (std::size_t k = 0; k < running_.size(); ++k) {
    assign(trained_[scale(k)].*what, from.norms[k].scale);
    assign(trained_[shift(k)].*what, from.norms[k].shift);
  }
  if (class_token_ != 0) {
    assign(trained_[class_token_].*what, from.tokens.class_token);
    assign(trained_[class_token_ + 1].*what, from.tokens.positions);
  }
}

void TorchExecutor::add_squares() {
  for (Trained& trained : trained_) {
    trained.squares = at::zeros_like(trained.momentum);
  }
}

Parameters TorchExecutor::read_parameters(at::Tensor Trained::*what) const {
  Parameters to;
  for (std::size_t l = 0; l < network_.layers.size(); ++l) {
    to.weights.push_back(plain(trained_[weight(l)].*what));
    to.biases.push_back(bias(l) != 0 ? plain(trained_[bias(l)].*what) : std::vector<float>{});
  }
  for (std::size_t k = 0; k < running_.size(); ++k) {
    to.norms.push_back({plain(trained_[scale(k)].*what), plain(trained_[shift(k)].*what), {}, {}});
  }
  if (class_token_ != 0) {
    to.tokens = {plain(trained_[class_token_].*what), plain(trained_[class_token_ + 1].*what)};
  }
  return to;
}

void TorchExecutor::write(const TrainingState& state) {
  check_sizes(network_, state.values);
  check_sizes(network_, state.momentum);
  check_mask_invariant(network_, state);
  for (std::size_t k = 0; k < running_.size(); ++k) {
    const bool wanted = running_[k].mean.defined();
    if (state.values.norms[k].mean.empty() == wanted || !state.momentum.norms[k].mean.empty()) {
      throw Error(fmt::format("{}: normalisation {}", network_.name, k),
                  "running statistics belong to the values, not to the momentum");
    }
  }
  for (Trained& trained : trained_) {
    trained.squares.reset();
  }
  adamw_updates_.reset();
  if (state.second) {
    add_squares();
    adamw_updates_ = state.second->updates;
  }
  const c10::InferenceMode no_autograd;
  write_parameters(&Trained::value, state.values);
  write_parameters(&Trained::momentum, state.momentum);
  if (state.second) {
    write_parameters(&Trained::squares, state.second->squares);
  }
  for (std::size_t k = 0; k < running_.size(); ++k) {
    if (running_[k].mean.defined()) {
      assign(running_[k].mean, state.values.norms[k].mean);
      assign(running_[k].variance, state.values.norms[k].variance);
    }
  }
  for (std::size_t l = 0; l < network_.layers.size(); ++l) {
    std::vector<std::int32_t> selectors(static_cast<std::size_t>(state.mask.layers[l].size()), 0);
    state.mask.layers[l].for_each_present(
        [&](std::int64_t i) { selectors[static_cast<std::size_t>(i)] = -1; });
    Trained& trained = trained_[weight(l)];
    trained.selectors = at::empty_like(trained.value, at::kInt);
    trained.selectors.copy_(at::from_blob(selectors.data(), trained.value.sizes(), at::kInt));
  }
  mask_ = state.mask;
  written_ = true;
  has_gradients_ = false;
}

TrainingState TorchExecutor::read() const {
  if (!written_) {
    throw Error("TorchExecutor::read", "the executor has no state yet", "write one first");
  }
  TrainingState state{read_parameters(&Trained::value), read_parameters(&Trained::momentum), mask_};
  for (std::size_t k = 0; k < running_.size(); ++k) {
    if (running_[k].mean.defined()) {
      state.values.norms[k].mean = plain(running_[k].mean);
      state.values.norms[k].variance = plain(running_[k].variance);
    }
  }
  if (adamw_updates_) {
    state.second = {read_parameters(&Trained::squares), *adamw_updates_};
  }
  return state;
}

Parameters TorchExecutor::gradients() const {
  if (!has_gradients_) {
    throw Error("TorchExecutor::gradients", "there are no gradients",
                "call forward_backward first");
  }
  return read_parameters(&Trained::gradient);
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

at::Tensor TorchExecutor::apply(const Instruction& instruction,
                                const std::vector<at::Tensor>& values, Mode mode) const {
  const Node& node = network_.nodes[static_cast<std::size_t>(instruction.node)];
  const at::Tensor& x = values[static_cast<std::size_t>(instruction.input)];
  const at::Tensor other =
      instruction.other < 0 ? at::Tensor() : values[static_cast<std::size_t>(instruction.other)];
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
    case Operation::batch_norm: {
      const std::size_t k = static_cast<std::size_t>(node.norm);
      FusedNorm norm{trained_[scale(k)].value, trained_[shift(k)].value, running_[k].mean,
                     running_[k].variance, instruction.relu};
      if (mode == Mode::evaluation) {
        return norm_evaluation(norm, x, other);
      }
      if (mode == Mode::pure_training) {
        norm.running_mean.reset();
        norm.running_variance.reset();
      }
      return norm_training(norm, x, other);
    }
    case Operation::relu:
      return instruction.in_place ? x.relu_() : at::relu(x);
    case Operation::add:
      return instruction.in_place ? x.add_(other) : at::add(x, other);
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
      return attention(x, values[static_cast<std::size_t>(node.inputs[1])],
                       values[static_cast<std::size_t>(node.inputs[2])], node.heads);
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
  values[0] = at::from_blob(const_cast<float*>(batch.images.data()),
                            {batch.size(), shape.channels, shape.height, shape.width}, at::kFloat)
                  .contiguous(format_);
  for (const Instruction& instruction : plan_) {
    values[static_cast<std::size_t>(instruction.output)] = apply(instruction, values, mode);
    for (const std::int32_t done : instruction.last_reads) {
      values[static_cast<std::size_t>(done)].reset();
    }
  }
  return values.back().flatten(1).contiguous();
}

TorchExecutor::Differentiated TorchExecutor::differentiate(const Batch& batch, Mode mode) const {
  const at::Tensor logits = forward(batch, mode);
  const at::Tensor logit_gradient = at::empty_like(logits, at::kFloat);
  Differentiated result;
  result.sums = softmax_loss(memory(logits), batch.labels, memory(logit_gradient), {});
  std::vector<at::Tensor> values;
  for (const Trained& trained : trained_) {
    values.push_back(trained.value);
  }
  result.gradients = torch::autograd::grad({logits}, values, {logit_gradient});
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
    const at::Tensor& selectors = trained_[i].selectors;
    if (selectors.defined()) {
      const std::int32_t* data = selectors.data_ptr<std::int32_t>();
      select(memory(trained_[i].gradient), {data, static_cast<std::size_t>(selectors.numel())});
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
  return softmax_loss(memory(forward(batch, Mode::evaluation)), batch.labels, {}, each);
}

void TorchExecutor::step(const SgdStep& step) {
  for (const double number : {step.learning_rate, step.momentum, step.weight_decay}) {
    if (!std::isfinite(number)) {
      throw Error("TorchExecutor::step", "a step needs finite numbers");
    }
  }
  if (!has_gradients_) {
    throw Error("TorchExecutor::step", "there are no gradients", "call forward_backward first");
  }
  for (const Trained& trained : trained_) {
    sgd_update(memory(trained.value), memory(trained.momentum), memory(trained.gradient), step);
  }
}

void TorchExecutor::adamw_step(const AdamWStep& step) {
  for (const double number :
       {step.learning_rate, step.beta1, step.beta2, step.weight_decay, step.epsilon}) {
    if (!std::isfinite(number)) {
      throw Error("TorchExecutor::adamw_step", "a step needs finite numbers");
    }
  }
  if (step.beta1 < 0 || step.beta1 >= 1 || step.beta2 < 0 || step.beta2 >= 1 || step.epsilon <= 0) {
    throw Error("TorchExecutor::adamw_step",
                fmt::format("betas {} and {} are not in [0, 1), or epsilon {} is not positive",
                            step.beta1, step.beta2, step.epsilon));
  }
  if (!has_gradients_) {
    throw Error("TorchExecutor::adamw_step", "there are no gradients",
                "call forward_backward first");
  }
  if (!adamw_updates_) {
    add_squares();
    adamw_updates_ = 0;
  }
  ++*adamw_updates_;
  AdamWStep undecayed = step;
  undecayed.weight_decay = 0;
  for (std::size_t i = 0; i < trained_.size(); ++i) {
    const Trained& trained = trained_[i];
    const bool is_weight = i < network_.layers.size();
    adamw_update(memory(trained.value), memory(trained.momentum), memory(trained.squares),
                 memory(trained.gradient), is_weight ? step : undecayed, *adamw_updates_);
  }
}

}  // namespace

std::unique_ptr<Executor> make_torch_executor(const Network& network, std::int64_t threads) {
  return make_torch_executor(network, threads, usual_order(network));
}

std::unique_ptr<Executor> make_torch_executor(const Network& network, std::int64_t threads,
                                              ChannelOrder order) {
  // Every step allocates and frees the same activations. By default glibc gives them back to the
  // system and faults their pages in anew each time, about a tenth of a step.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  return std::make_unique<TorchExecutor>(network, threads, order);
}

}  // namespace gcg
