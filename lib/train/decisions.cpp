#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "paths/statistics.h"
#include "train/clock.h"
#include "train/cost.h"
#include "train/phase_state.h"
#include "train/training.h"

namespace gcg {

namespace {

/// One of the batches that scores look at.
Batch scoring_batch(Training& training, std::uint64_t number) {
  RandomStream stream(training.run.seed, "gradient-batch", number);
  std::vector<std::int64_t> positions = training.split.train;
  stream.shuffle(std::span(positions));
  positions.resize(
      std::min(positions.size(), static_cast<std::size_t>(training.run.recipe.batch_size)));
  Batch batch = training.batches.plain(positions);
  batch.label_smoothing = training.run.recipe.label_smoothing;
  return batch;
}

/// Counts dense gradients as this many.
void count_gradients(Training& training, const Mask& mask, const Batch& batch, int gradients) {
  training.now.record.cost.dense_gradient_flops +=
      gradients * dense_gradient_flops(training.run.network, mask, batch.whole_size());
}

/// Does what errors of which would follow from the options of the run; says the warnings that come
/// of it, which the run file keeps.
template <typename Work>
auto by_options(Training& training, Work work) {
  const std::vector<std::string>& warnings = training.now.record.warnings;
  std::size_t told = warnings.size();
  training.by_options = true;
  auto result = work();
  training.by_options = false;
  for (; told < warnings.size(); ++told) {
    training.run.say("warning: " + warnings[told]);
  }
  return result;
}

/// Does what, within that, may fail for other reasons.
template <typename Work>
auto by_the_world(Training& training, Work work) {
  training.by_options = false;
  auto result = work();
  training.by_options = true;
  return result;
}

MethodContext context_of(Training& training) {
  TrainingRun& run = training.run;
  const GradientSource gradients = [&](const TrainingState& state, std::uint64_t number) {
    return by_the_world(training, [&] {
      const Batch batch = scoring_batch(training, number);
      count_gradients(training, state.mask, batch, 1);
      run.executor.write(state);
      return run.executor.dense_gradients(batch);
    });
  };
  CurvatureSource curvature;
  if (run.curvature) {
    curvature = [&](const TrainingState& state, const ConnectionValues& direction,
                    std::uint64_t number) {
      return by_the_world(training, [&] {
        const Batch batch = scoring_batch(training, number);
        // A derivative along the direction of a forward and a backward pass.
        count_gradients(training, state.mask, batch, 2);
        return run.curvature(state, direction, batch);
      });
    };
  }
  const auto trunk_mask = [&](const Trunk& trunk) {
    return by_the_world(training, [&] {
      return read_trunk_mask(run.folder.parent_path(), trunk, training.now.record);
    });
  };
  return {run.network,
          run.recipe,
          run.seed,
          training.epoch_batches,
          training.now.record,
          training.now.state,
          training.now.memory,
          gradients,
          curvature,
          trunk_mask};
}

/// Hands the method's state to the executor and stands at the start of a stage.
void enter(Training& training, Stage stage) {
  Checkpoint& now = training.now;
  check_mask_invariant(training.run.network, now.state);
  now.memory.gradient_average.clear();
  hand_over(training);
  const std::int64_t done = stage.phase.first_update;
  now.position = {.phase = std::ssize(now.record.stages),
                  .epoch_in_phase = done / training.epoch_batches,
                  .batch_in_epoch = done % training.epoch_batches};
  training.counted = now.position.batch_in_epoch;
  if (stage.phase.snapshot == 0) {
    now.memory.kept = now.state;
  }
  training.stage = std::move(stage);
  check_same(training, fmt::format("at the start of stage {}", training.stage.phase.stage));
}

/// The mask that a stage ended with, measured.
StageMask measured_mask(Training& training) {
  RunRecord& record = training.now.record;
  const TrainingState& state = training.now.state;
  const Stopwatch watch(record.cost.statistics_seconds);
  StageMask mask{training.stage.phase.stage, state.mask, {}};
  Mask ever = state.mask;
  for (const StageMask& earlier : record.masks) {
    unite(ever, earlier.mask);
  }
  const Mask* previous = record.masks.empty() ? nullptr : &record.masks.back().mask;
  mask.statistics =
      mask_statistics(training.run.network, state.values, state.mask, previous, ever,
                      {0.9, training.run.seed, static_cast<std::uint64_t>(mask.stage)});
  const Allocation& allocation = training.stage.mask.allocation;
  for (std::size_t l = 0; l < allocation.counts.size(); ++l) {
    mask.statistics.layers[l].wanted = allocation.wanted[l];
    mask.statistics.layers[l].integer = allocation.counts[l];
  }
  return mask;
}

StageRow stage_row(const Training& training) {
  const RunRecord& record = training.now.record;
  const auto& [phase, mask] = training.stage;
  StageRow row;
  row.stage = phase.stage;
  row.phase = phase.role;
  row.present = training.now.state.mask.present();
  row.density = training.now.state.mask.density();
  row.epochs = phase.epochs;
  row.validation_loss = record.trajectory.back().validation_loss;
  row.validation_accuracy = record.trajectory.back().validation_accuracy;
  row.grown = mask.grown;
  row.repaired = mask.repaired;
  row.growth_overlap = mask.growth_overlap;
  row.scores = mask.scores;
  row.fit.outcome = Outcome::too_few_stages;
  row.density_epochs = record.cost.density_epochs;
  // What earlier stages did not account for, so that it comes out the same after a resume.
  row.training_flops = recorded_flops(record.cost);
  row.seconds = recorded_seconds(record.cost);
  for (const StageRow& earlier : record.stages) {
    row.training_flops -= earlier.training_flops;
    row.seconds -= earlier.seconds;
  }
  return row;
}

}  // namespace

void begin(Training& training) {
  training.now.state =
      initial_state(training.run.network, Mask(training.run.network, true), training.run.seed);
  MethodContext lent = context_of(training);
  Stage first;
  {
    const Stopwatch watch(training.now.record.cost.grow_seconds);
    first = by_options(training, [&] { return training.run.method.begin(lent); });
  }
  enter(training, std::move(first));
}

bool stage_ended(const Training& training) {
  return training.now.position.epoch_in_phase >= training.stage.phase.epochs;
}

bool next_stage(Training& training) {
  RunRecord& record = training.now.record;
  training.now.method_state = phase_text({training.stage, training.counted});
  check_same(training, fmt::format("at the end of stage {}", training.stage.phase.stage));
  if (leads(training.run.ranks)) {
    const std::lock_guard guard(training.run.stop->recording);
    if (training.run.stop->lost) {
      throw Stopped();
    }
    keep_stage(training.recorder, training.now, training.stage.phase.stage);
  }
  if (training.run.ranks != nullptr) {
    training.run.ranks->meet();
  }
  StageMask mask = by_options(training, [&] { return measured_mask(training); });
  record.stages.push_back(stage_row(training));
  record.masks.push_back(std::move(mask));
  std::optional<Stage> next;
  {
    const Stopwatch watch(record.cost.grow_seconds);
    MethodContext lent = context_of(training);
    next = by_options(training, [&] { return training.run.method.next(lent, training.stage); });
  }
  const StageRow& done = record.stages.back();
  training.run.say(fmt::format("stage {:>2}  density {:6.4f}  validation {:5.2f} %  {}", done.stage,
                               done.density, 100 * done.validation_accuracy, done.decision));
  if (next) {
    enter(training, std::move(*next));
  }
  return next.has_value();
}

void update_mask(Training& training, std::int64_t done) {
  Checkpoint& now = training.now;
  count_density(training);
  const Stopwatch watch(now.record.cost.grow_seconds);
  take_back(training);
  MethodContext lent = context_of(training);
  by_options(training, [&] {
    training.run.method.update(lent, training.stage.phase, done);
    return true;
  });
  check_mask_invariant(training.run.network, now.state);
  hand_over(training);
  check_same(training, fmt::format("after the change of the mask at update {}", done));
}

void average_gradients(Training& training, const Batch& batch) {
  training.run.executor.average_gradients(
      batch, static_cast<float>(training.stage.phase.gradient_average));
  count_gradients(training, training.now.state.mask, batch, 1);
}

void count_density(Training& training) {
  const std::int64_t batches = training.now.position.batch_in_epoch;
  training.now.record.cost.density_epochs +=
      training.now.state.mask.density() * (static_cast<double>(batches - training.counted) /
                                           static_cast<double>(training.epoch_batches));
  training.counted = batches;
}

}  // namespace gcg
