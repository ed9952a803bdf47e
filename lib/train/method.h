#pragma once

#include <cstdint>
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

/// What the trainer lends a method for a decision. Record and memory are what the method knows of
/// the past: stages with accuracies and fits, the masks of all stages, what it kept. A decision
/// must depend only on these, the state and named random streams, so that a resumed run repeats it
/// bit for bit.
struct MethodContext {
  const Network& network;
  const Recipe& recipe;
  std::uint64_t seed;
  std::int64_t epoch_updates;  ///< updates per epoch
  RunRecord& record;           ///< append warnings; set fit and decision of the last stage
  TrainingState& state;        ///< may be changed: masks, weights, slots
  MethodMemory& memory;
  /// On batches of training images without augmentation (stream "gradient-batch", index = batch
  /// number); their FLOPs are counted.
  GradientSource gradients;
  CurvatureSource curvature;  ///< on the same batches; may be empty
  /// read_trunk_mask() from the folder of runs that this run is in.
  std::function<Mask(const Trunk&)> trunk_mask{};
};

/// A part of a planned training, at roughly one density.
struct PlannedPart {
  std::int64_t stage = 0;
  double density = 1;
  double epochs = 0;
  double gradients = 0;  ///< dense gradients per training step
};

/// Decides masks, rewinds and phases. The trainer owns data, evaluation, timing and checkpoints.
class Method {
 public:
  virtual ~Method() = default;

  /// Adds its options to the list, bound to its members.
  virtual void add_options(OptionList& list) = 0;
  /// UsageError for contradictions between options that no single range can exclude.
  virtual void check(const Recipe& recipe) const = 0;
  /// The planned epochs by density, to estimate a run's seconds and the time left. What is not
  /// known before the run counts as if it came as late or as dense as possible.
  virtual std::vector<PlannedPart> planned_course(const Recipe& recipe,
                                                  const Network& network) const = 0;
  /// The epochs of planned_course(): an upper bound.
  [[nodiscard]] std::int64_t planned_epochs(const Recipe& recipe, const Network& network) const;
  /// Starts a fresh run: context.state has fresh dense values and leaves with the first mask.
  virtual Stage begin(MethodContext& context) const = 0;
  /// Called after a stage, whose row is context.record.stages.back(). Sets its decision, may change
  /// the state, and returns the next stage, or nothing when the run is complete.
  virtual std::optional<Stage> next(MethodContext& context, const Stage& finished) const = 0;
  /// Called within a phase that asks for it, after its `done`-th update (counting those skipped at
  /// its start). May change state and memory.
  virtual void update(MethodContext& /*context*/, const Phase& /*phase*/,
                      std::int64_t /*done*/) const {}
  /// The stage of another run from which this one starts: the trainer
  /// takes over record, state and memory as they were at the end of
  /// that stage's training, then calls next() instead of begin().
  virtual std::optional<Trunk> trunk() const { return std::nullopt; }
  /// The width of the network that this method trains, if it chooses one; 0: the network's default.
  virtual std::int64_t width(std::string_view /*network*/, const NetworkRequest& request) const {
    return request.width;
  }
};

}  // namespace gcg
