#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "backend/optimiser.h"
#include "backend/state.h"
#include "graph/network.h"

namespace gcg {

/// Images as bytes [count][channels][height][width]: a value is byte * scale + offset of its
/// channel, in single precision.
struct RawImages {
  std::span<const std::uint8_t> pixels;
  Shape shape;  ///< of an image
  std::span<const float> scale;
  std::span<const float> offset;
};

/// An image of a batch as one of those that the executor holds: its row and column `row` and
/// `column` become the first ones (what lies outside of the image is 0), then it is mirrored.
struct Placement {
  std::int64_t image = 0;
  std::int64_t row = 0;
  std::int64_t column = 0;
  bool mirrored = false;
};

/// A batch: one label a sample, and the images in plain memory, [size][channels][height][width],
/// normalised, or as placements of those that the executor holds.
struct Batch {
  std::span<const float> images;
  std::span<const std::int32_t> labels;
  std::span<const Placement> placements{};
  /// Samples of the batch that this is a rank's share of (ranks.h); 0: it is a whole one.
  std::int64_t of = 0;
  [[nodiscard]] std::int64_t size() const { return std::ssize(labels); }
  [[nodiscard]] std::int64_t whole_size() const { return of > 0 ? of : size(); }
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

class Ranks;

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
  /// forward_backward for a loop that need not know the sums at once, so that a device is not
  /// waited for: gives the sums of batches that are known by now and were not given before, in the
  /// order of the batches. Valid until the next call.
  virtual std::span<const BatchSums> queue(const Batch& batch) {
    queued_ = forward_backward(batch);
    return {&queued_, 1};
  }
  /// The sums of all batches that queue() has not given yet.
  virtual std::span<const BatchSums> settle() { return {}; }

  /// One update with the gradients left by forward_backward. Slots come into being with the first
  /// one. Errors: no gradients, an optimiser that the backend does not have or that has not made
  /// the slots, numbers out of range.
  virtual void step(const OptimiserStep& step) = 0;

  /// Evaluation mode (running statistics). Errors: room in `each` for another number of samples.
  virtual BatchSums evaluate(const Batch& batch, const PerSample& each) = 0;

  /// Gradients of the mean loss with respect to every weight, present or absent, in training mode,
  /// per layer in its layout. Pure: values, running statistics and slots come back byte for byte.
  virtual std::vector<std::vector<float>> dense_gradients(const Batch& batch) = 0;

  /// Keeps images for batches that name their placements, which are cut and mirrored there: the
  /// same values, bit for bit. False: it holds none, or these are too many for it.
  virtual bool hold(const RawImages& /*images*/) { return false; }

  /// From now on shares of batches are trained together with the other ranks': sums and gradients
  /// are those of the whole batch, with the same bits on every rank. `sync_norms`: batch
  /// normalisation takes its moments over the whole batch; else every rank over its share, and the
  /// running statistics are the mean of theirs. `ranks` must outlive the executor. An Error where
  /// the backend cannot, as its row says.
  virtual void join(Ranks& ranks, bool sync_norms);

  /// Gradients left by forward_backward, for tests: shape of the parameters.
  virtual Parameters gradients() const = 0;

 private:
  BatchSums queued_{};
};

}  // namespace gcg
