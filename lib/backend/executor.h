#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/optimiser.h"
#include "backend/state.h"
#include "graph/network.h"

namespace gcg {

/// Images as bytes [count][channels][height][width]. Their values are byte * scale + offset, by
/// channel, in single precision.
struct RawImages {
  std::span<const std::uint8_t> pixels;
  Shape shape;  ///< of an image
  std::span<const float> scale;
  std::span<const float> offset;
};

/// An image of a batch, taken from those that the executor holds or that the batch brings as bytes:
/// it is moved so that `row` and `column` come first (positions outside of the image are 0), then
/// mirrored if asked.
struct Placement {
  std::int64_t image = 0;
  std::int64_t row = 0;
  std::int64_t column = 0;
  bool mirrored = false;
};

/// A batch: one label per sample, and the images in one of three forms: in plain memory,
/// normalised, [size][channels][height][width]; as placements of images that the executor holds; or
/// as `bytes`, an image per sample, and the placements of these.
struct Batch {
  std::span<const float> images;
  std::span<const std::int32_t> labels;
  std::span<const Placement> placements{};
  /// Share of every target that is spread evenly over all classes in training, in [0, 1) (Szegedy
  /// et al. 2016, section 7); evaluation takes the labels as they are.
  double label_smoothing = 0;
  /// Samples of the batch that this is a rank's share of (ranks.h); 0: it is a whole one.
  std::int64_t of = 0;
  RawImages bytes{};
  /// Of mixed samples: a second label for each, and its share of every target, in [0, 1]. In
  /// training the target is (1 - share) at the label and share at the second one, before it is
  /// smoothed (Zhang et al. 2018); evaluation takes the labels as they are. Empty: none.
  std::span<const std::int32_t> second_labels{};
  double second_share = 0;
  /// What the residual branches behind the network's drop_path nodes are multiplied by in training,
  /// [nodes][size]: 0 or 1 / (1 - rate). Empty: 1, as in evaluation.
  std::span<const float> branch_factors{};
  [[nodiscard]] std::int64_t size() const { return std::ssize(labels); }
  [[nodiscard]] std::int64_t whole_size() const { return of > 0 ? of : size(); }
};

/// Sums over the samples of a batch, not means, so that a short last batch has its right weight.
struct BatchSums {
  double loss = 0;           ///< softmax cross-entropy, natural logarithm
  std::int64_t correct = 0;  ///< samples whose largest logit is that of their label
  std::int64_t samples = 0;
};

/// What evaluate() writes per sample, in the batch's order; an empty span is left out.
struct PerSample {
  std::span<std::int32_t> classes{};  ///< class with the largest logit, the first of equals
  std::span<float> losses{};          ///< softmax cross-entropy, natural logarithm
};

class Ranks;

/// Runs a network: the few calls that every backend offers to the trainer. After every call, absent
/// weights, their gradients and their optimiser slots are zero bits.
class Executor {
 public:
  virtual ~Executor() = default;

  virtual const Network& network() const = 0;

  /// Replaces everything: values, slots, mask.
  virtual void write(const TrainingState& state) = 0;
  virtual TrainingState read() const = 0;

  /// Forward and backward pass in training mode, for the mean loss of the batch. Updates the
  /// running statistics and keeps the gradients for step().
  virtual BatchSums forward_backward(const Batch& batch) = 0;
  /// forward_backward for a loop that does not need the sums at once, so that it need not wait for
  /// a device. Returns those sums of earlier batches that are known now and were not yet returned,
  /// in the order of the batches. Valid until the next call.
  virtual std::span<const BatchSums> queue(const Batch& batch) {
    queued_ = forward_backward(batch);
    return {&queued_, 1};
  }
  /// The sums of all batches that queue() has not returned yet.
  virtual std::span<const BatchSums> settle() { return {}; }

  /// One update with the gradients of the last forward_backward. The first update creates the
  /// slots. Errors: no gradients; an optimiser that the backend lacks or that did not make the
  /// slots; values out of range.
  virtual void step(const OptimiserStep& step) = 0;

  /// Forward pass in evaluation mode (running statistics). Errors: a wrong size in `each`.
  virtual BatchSums evaluate(const Batch& batch, const PerSample& each) = 0;
  /// evaluate for a loop that does not need the sums at once, so that it need not wait for a
  /// device. What `each` asks for is there when settle_evaluation() returns.
  virtual void queue_evaluation(const Batch& batch, const PerSample& each) {
    evaluated_.push_back(evaluate(batch, each));
  }
  /// The sums of all batches that were queued since it was last called, in their order.
  virtual std::vector<BatchSums> settle_evaluation() { return std::exchange(evaluated_, {}); }

  /// Gradients of the mean loss by every weight, present or absent, in training mode, per layer in
  /// its layout. Pure: values, running statistics and slots are the same bits afterwards.
  virtual std::vector<std::vector<float>> dense_gradients(const Batch& batch) = 0;

  /// A moving average of dense gradients, kept beside the state for a loop that need not see it at
  /// every step: (old average) * `old` + (dense gradients of the batch) * (1 - old), in single
  /// precision, each product and the sum rounded. The first one's old average is 0. Pure as
  /// dense_gradients.
  virtual void average_gradients(const Batch& batch, float old);
  /// It, per layer in its layout; empty: there is none.
  virtual std::vector<std::vector<float>> gradient_average() const { return average_; }
  /// Goes on from such an average.
  virtual void set_gradient_average(const std::vector<std::vector<float>>& average) {
    average_ = average;
  }

  /// Keeps images for batches that name their placements, which are cut and mirrored there: the
  /// same values, bit for bit. False: it holds none, or these are too many for it.
  virtual bool hold(const RawImages& /*images*/) { return false; }
  /// Whether it takes batches of images that it does not hold as bytes. Else they are normalised.
  virtual bool takes_bytes() const { return false; }

  /// From now on shares of batches are trained together with the other ranks': sums and gradients
  /// are those of the whole batch, with the same bits on every rank. `sync_norms`: batch
  /// normalisation takes its moments over the whole batch; else every rank over its share, and the
  /// running statistics are the mean of theirs. `ranks` must outlive the executor. An Error where
  /// the backend cannot, as its row says.
  virtual void join(Ranks& ranks, bool sync_norms);

  /// The gradients of the last forward_backward in the shape of the parameters, for tests.
  virtual Parameters gradients() const = 0;

 private:
  BatchSums queued_{};
  std::vector<BatchSums> evaluated_{};
  std::vector<std::vector<float>> average_{};
};

}  // namespace gcg
