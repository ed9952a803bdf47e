#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/options.h"
#include "executor/state.h"
#include "record/run_record.h"
#include "train/recipe.h"

namespace gcg {

/// A stretch of training under one learning-rate schedule, at whose end the method decides.
struct Phase {
  std::string name;        ///< "dense", "stage", "final", ...
  std::int64_t stage = 0;  ///< stage the phase belongs to
  std::int64_t epochs = 1;
  Schedule schedule;
  std::int64_t grown = 0;     ///< connections added to reach this phase's mask
  std::int64_t repaired = 0;  ///< of those, by the repair of dead units
  double growth_overlap =
      std::numeric_limits<double>::quiet_NaN();  ///< as StageRow::growth_overlap
};

/// What the trainer lends a method at a decision. The record is the method's memory: stages with
/// accuracies and fits, masks of all stages. A decision must depend on these and on named streams
/// alone, so that a resumed run repeats it bit for bit.
struct MethodContext {
  const Network& network;
  const Recipe& recipe;
  std::uint64_t seed;
  RunRecord& record;     ///< append warnings; set fit and decision of the last stage
  TrainingState& state;  ///< may be changed: masks, weights, slots
  /// Gradients of the mean loss at every position, absent too, on one batch of training images
  /// (stream "gradient-batch", index = argument); its FLOPs are counted.
  std::function<std::vector<std::vector<float>>(std::uint64_t)> dense_gradients;
};

/// Decides masks, rewinds and phases; the trainer owns data, evaluation, timing and checkpoints.
class Method {
 public:
  virtual ~Method() = default;

  /// Adds its options, bound to its members.
  virtual void add_options(OptionList& list) = 0;
  /// Contradictions between options that no single range can tell: UsageError.
  virtual void check(const Recipe& recipe) const = 0;
  /// At most this many epochs in all: for the estimate of time left.
  virtual std::int64_t planned_epochs(const Recipe& recipe, const Network& network) const = 0;
  /// Starts a fresh run: context.state holds fresh dense values; leaves the first mask applied.
  virtual Phase begin(MethodContext& context) const = 0;
  /// After a phase, whose row is context.record.stages.back(): sets its decision, may change the
  /// state, returns the next phase, or nothing when the run is complete.
  virtual std::optional<Phase> next(MethodContext& context, const Phase& finished) const = 0;
};

}  // namespace gcg
