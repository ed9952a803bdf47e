#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backends.h"
#include "backend/executor.h"
#include "backend/precision.h"
#include "backend/ranks.h"
#include "backend/state.h"
#include "dense/channel_order.h"
#include "dense/plan.h"
#include "dense/tensor_exchange.h"

namespace gcg {

/// What a forward pass is for: training, training that leaves the running statistics as they are,
/// or evaluation.
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

/// A network as LibTorch runs it: masks on dense weights, all of it on one device. What the
/// executors of LibTorch have in common: state, forward pass and derivatives.
class TorchNetwork {
 public:
  /// `backend`: the row of the executor. With Precision::bf16 products (convolutions, linear
  /// layers, attention) are of bf16 factors and tensors stay in bf16 behind them; layer
  /// normalisation and softmax are in fp32, and so are all that is trained, its gradients and the
  /// logits. Errors: an operation that the backend lacks, threads outside of [1, 1024], a pooling
  /// padded by more than half of its window.
  TorchNetwork(const Backend& backend, const Network& network, std::int64_t threads,
               ChannelOrder order, const at::Device& device, Precision precision);

  [[nodiscard]] const Network& network() const { return network_; }
  [[nodiscard]] const at::Device& device() const { return device_; }
  [[nodiscard]] at::MemoryFormat format() const { return format_; }

  /// As the executor's. Values, masks and running statistics stay in the memory they are in.
  void write(const TrainingState& state);
  [[nodiscard]] TrainingState read() const;
  [[nodiscard]] Parameters gradients() const;

  /// Before a forward pass, of an executor that `holds` what a batch places or not: sets the
  /// calling thread's number of threads. Errors: a batch that does not fit, no state yet.
  void prepare(std::string_view call, const Batch& batch, Mode mode, bool holds = false) const;
  /// The images of a batch in plain memory, on the device.
  [[nodiscard]] at::Tensor images(const Batch& batch) const;
  /// Batch::branch_factors on the device, [drop_path nodes][samples]; undefined: none.
  [[nodiscard]] at::Tensor branch_factors(const Batch& batch) const;
  /// Logits [samples][classes], contiguous, in fp32. `images` is only read. `of`: as Batch::of.
  /// `factors`: as branch_factors(), of training.
  [[nodiscard]] at::Tensor forward(const at::Tensor& images, Mode mode, std::int64_t of = 0,
                                   const at::Tensor& factors = {}) const;
  /// Derivatives of what `logit_gradient` is the derivative of, as trained(), each in its value's
  /// memory order.
  [[nodiscard]] std::vector<at::Tensor> differentiate(const at::Tensor& logits,
                                                      const at::Tensor& logit_gradient) const;
  /// As the executor's.
  void join(Ranks& ranks, bool sync_norms);
  [[nodiscard]] Ranks* ranks() const { return ranks_; }
  /// Adds gradients of the shares of a batch up over the ranks; and, where normalisations are not
  /// synchronised and after Mode::training, takes the mean of their running statistics. `part`:
  /// this rank's samples over those of the batch.
  void add_shares(std::vector<at::Tensor>& gradients, double part, Mode mode) const;
  /// Gradients with +0 at absent positions.
  [[nodiscard]] std::vector<at::Tensor> masked(std::vector<at::Tensor> gradients) const;
  /// Keeps masked gradients for the step.
  void keep(std::vector<at::Tensor> gradients);
  /// The gradients of the weights, by layer, in plain memory.
  [[nodiscard]] std::vector<std::vector<float>> of_weights(
      const std::vector<at::Tensor>& gradients) const;

  /// What comes before an update of trained(): checks, slots, the number of the update. Errors: as
  /// Executor::step.
  void begin_step(const OptimiserStep& step);
  [[nodiscard]] std::vector<Trained>& trained() { return trained_; }
  [[nodiscard]] std::int64_t updates() const { return updates_; }

 private:
  void add_trained(ParameterKind kind, at::IntArrayRef sizes);
  void add_slot(std::string_view name);
  /// Where the tensors of a layer or a normalisation stand in trained_.
  [[nodiscard]] std::size_t weight(std::size_t layer) const { return layer; }
  [[nodiscard]] std::size_t scale(std::size_t norm) const {
    return network_.layers.size() + 2 * norm;
  }
  [[nodiscard]] std::size_t shift(std::size_t norm) const { return scale(norm) + 1; }
  [[nodiscard]] std::size_t bias(std::size_t layer) const { return biases_[layer]; }

  /// The tensors f(trained), values, gradients or slots, in plain memory without running
  /// statistics.
  template <typename F>
  Parameters read_parameters(F f) const;
  template <typename F>
  void write_parameters(F f, const Parameters& from);

  /// A factor of a product, and what has to be in fp32, whatever the precision.
  [[nodiscard]] at::Tensor factor(const at::Tensor& x) const;
  [[nodiscard]] at::Tensor bias_factor(std::size_t layer) const;
  [[nodiscard]] at::Tensor apply(const Node& node, bool in_place,
                                 const std::vector<at::Tensor>& values, Mode mode, std::int64_t of,
                                 const at::Tensor& factors) const;
  [[nodiscard]] at::Tensor normalised(const Node& node, const at::Tensor& x, Mode mode,
                                      std::int64_t of) const;

  const Backend& backend_;
  Network network_;
  at::Device device_;
  int threads_;
  at::MemoryFormat format_;
  Precision precision_;
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
  Ranks* ranks_ = nullptr;
  TensorExchange* exchange_ = nullptr;  ///< of the ranks, or the next one
  std::unique_ptr<TensorExchange> on_host_;
  bool sync_norms_ = true;
};

}  // namespace gcg
