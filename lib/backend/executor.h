#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "backend/state.h"
#include "base/error.h"
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

/// What evaluate() tells of every sample, in the batch's order; a span that is empty is left out.
struct PerSample {
  std::span<std::int32_t> classes{};  ///< of the largest logit, the first one of equals
  std::span<float> losses{};          ///< softmax cross-entropy, natural logarithm
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

/// One update of AdamW (Loshchilov & Hutter 2019), the t-th since its slots were empty:
/// m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
/// w -= learning_rate (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) + weight_decay w).
/// Weight decay applies to weights of maskable layers alone (Touvron et al. 2021).
struct AdamWStep {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double weight_decay = 0.05;
  double epsilon = 1e-8;
};

/// Runs a network: the few calls every way of execution offers to the one trainer. Absent weights,
/// their gradients and their optimiser slots are zero bits after every call.
class Executor {
 public:
  virtual ~Executor() = default;

  virtual const Network& network() const = 0;

  /// Replaces everything: values, slots, mask.
  virtual void write(const TrainingState& state) = 0;
  virtual TrainingState read() const = 0;

  /// Training mode: forward, mean loss over the batch, backward; updates running statistics and
  /// leaves the gradients inside for step().
  virtual BatchSums forward_backward(const Batch& batch) = 0;
  virtual void step(const SgdStep& step) = 0;
  /// The momentum of the state is m. An executor that has no AdamW says so.
  virtual void adamw_step(const AdamWStep& /*step*/) {
    throw Error(network().name, "this way of execution has no AdamW", "take dense execution");
  }

  /// Evaluation mode (running statistics). Errors: room in `each` for another number of samples.
  virtual BatchSums evaluate(const Batch& batch, const PerSample& each) = 0;

  /// Gradients of the mean loss with respect to every weight, present or absent, in training mode,
  /// per layer in its layout. Pure: values, running statistics and slots come back byte for byte.
  virtual std::vector<std::vector<float>> dense_gradients(const Batch& batch) = 0;

  /// Gradients left by forward_backward, for tests: shape of the parameters.
  virtual Parameters gradients() const = 0;
};

}  // namespace gcg
