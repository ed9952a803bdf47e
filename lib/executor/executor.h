#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "executor/state.h"
#include "graph/network.h"

namespace gcg {

/// A batch in plain memory: images [size][channels][height][width], normalised; one label a sample.
struct Batch {
  std::span<const float> images;
  std::span<const std::int32_t> labels;
  [[nodiscard]] std::int64_t size() const { return std::ssize(labels); }
};

/// Sums over the samples of a batch, so that a short last batch counts right.
struct BatchSums {
  double loss = 0;           ///< softmax cross-entropy, natural logarithm
  std::int64_t correct = 0;  ///< samples whose largest logit is the label's
  std::int64_t samples = 0;
};

/// One update of stochastic gradient descent:
/// g = gradient + weight_decay w;  m = momentum m + g;  w -= learning_rate (nesterov ? g + momentum
/// m : m). Weight decay applies to weights of maskable layers, biases, gammas and betas alike (the
/// common CIFAR recipe).
struct SgdStep {
  double learning_rate = 0.1;
  double momentum = 0.9;
  bool nesterov = true;
  double weight_decay = 1e-4;
};

/// Runs a network: the few calls every way of execution offers to the one trainer. Absent weights,
/// their gradients and their optimiser slots are zero bits after every call.
class Executor {
 public:
  virtual ~Executor() = default;

  virtual const Network& network() const = 0;

  /// Replaces everything: values, momentum, mask.
  virtual void write(const TrainingState& state) = 0;
  virtual TrainingState read() const = 0;

  /// Training mode: forward, mean loss over the batch, backward; updates running statistics and
  /// leaves the gradients inside for step().
  virtual BatchSums forward_backward(const Batch& batch) = 0;
  virtual void step(const SgdStep& step) = 0;

  /// Evaluation mode (running statistics). `predictions`, if not empty, receives the class of the
  /// largest logit per sample.
  virtual BatchSums evaluate(const Batch& batch, std::span<std::int32_t> predictions) = 0;

  /// Gradients of the mean loss with respect to every weight, present or absent, in training mode,
  /// per layer in its layout. Pure: values, running statistics and slots come back byte for byte.
  virtual std::vector<std::vector<float>> dense_gradients(const Batch& batch) = 0;

  /// Gradients left by forward_backward, for tests: shape of the parameters.
  virtual Parameters gradients() const = 0;
};

}  // namespace gcg
