#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "backend/state.h"
#include "base/options.h"
#include "graph/networks.h"
#include "record/checkpoint.h"
#include "record/run_record.h"
#include "score/gradient_score.h"
#include "train/recipe.h"
#include "train/stage.h"
#include "train/trunk.h"

namespace gcg {

/// What the trainer lends a method at a decision. The record and the memory are the method's
/// memory: stages with accuracies and fits, masks of all stages, what it kept. A decision must
/// depend on these, the state and on named streams alone, so that a resumed run repeats it bit for
/// bit.
struct MethodContext {
  const Network& network;
  const Recipe& recipe;
  std::uint64_t seed;
  std::int64_t epoch_updates;  ///< updates per epoch
  RunRecord& record;           ///< append warnings; set fit and decision of the last stage
  TrainingState& state;        ///< may be changed: masks, weights, slots
  MethodMemory& memory;
  /// On batches of training images, not augmented (stream "gradient-batch", index = number of the
  /// batch); the FLOPs are counted.
  GradientSource gradients;
  CurvatureSource curvature;     ///< on the same batches; may be missing
  std::filesystem::path runs{};  ///< where the folders of this run and of its trunk are
};

/// A part of a planned training at about one density.
struct PlannedPart {
  std::int64_t stage = 0;
  double density = 1;
  double epochs = 0;
  double gradients = 0;  ///< dense gradients per training step
};

/// Decides masks, rewinds and phases; the trainer owns data, evaluation, timing and checkpoints.
class Method {
 public:
  virtual ~Method() = default;

  /// Adds its options, bound to its members.
  virtual void add_options(OptionList& list) = 0;
  /// Contradictions between options that no single range can tell: UsageError.
  virtual void check(const Recipe& recipe) const = 0;
  /// The epochs to come by density, for estimates of a run's seconds and of the time left. What is
  /// not known before the run counts as if it came latest or densest.
  virtual std::vector<PlannedPart> planned_course(const Recipe& recipe,
                                                  const Network& network) const = 0;
  /// The epochs of planned_course(): at most so many.
  [[nodiscard]] std::int64_t planned_epochs(const Recipe& recipe, const Network& network) const;
  /// Starts a fresh run: context.state holds fresh dense values; leaves the first mask applied.
  virtual Stage begin(MethodContext& context) const = 0;
  /// After a stage, whose row is context.record.stages.back(): sets its decision, may change the
  /// state, returns the next stage, or nothing when the run is complete.
  virtual std::optional<Stage> next(MethodContext& context, const Stage& finished) const = 0;
  /// Within a phase that asks for it, after its `done`-th update (those left out at its start
  /// counted): may change state and memory.
  virtual void update(MethodContext& /*context*/, const Phase& /*phase*/,
                      std::int64_t /*done*/) const {}
  /// The stage of another run that this one goes on from: the trainer takes over its record, state
  /// and memory as they were at the end of that stage's training, then calls next() instead of
  /// begin().
  virtual std::optional<Trunk> trunk() const { return std::nullopt; }
  /// Width of the network this method trains, for methods that choose one; 0: the network's own.
  virtual std::int64_t width(std::string_view /*network*/, const NetworkRequest& request) const {
    return request.width;
  }
};

}  // namespace gcg
