#include "train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/random.h"
#include "data/batches.h"
#include "data/loader.h"
#include "data/split.h"
#include "paths/statistics.h"
#include "record/checkpoint.h"
#include "record/network_file.h"
#include "record/run_file.h"
#include "train/cost.h"
#include "train/evaluate.h"
#include "train/phase_state.h"
#include "train/resume.h"
#include "train/trunk.h"

namespace gcg {

namespace {

/// Adds the seconds until destruction to a total.
class Stopwatch {
 public:
  explicit Stopwatch(double& total) : total_(total), start_(now_seconds()) {}
  ~Stopwatch() { total_ += now_seconds() - start_; }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& total_;
  double start_;
};

double all_seconds(const CostRecord& cost) {
  return cost.train_seconds + cost.evaluate_seconds + cost.grow_seconds + cost.statistics_seconds +
         cost.record_seconds;
}

double all_flops(const CostRecord& cost) {
  return cost.training_flops + cost.scoring_flops + cost.dense_gradient_flops;
}

std::vector<std::int64_t> all_positions(std::int64_t count) {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(count));
  std::iota(positions.begin(), positions.end(), std::int64_t{0});
  return positions;
}

/// The state of one run on its way from phase to phase.
class Training {
 public:
  explicit Training(TrainingRun run);
  RunRecord finish();

 private:
  void start_fresh();
  void branch_off(const Trunk& trunk);
  void restore(Checkpoint checkpoint);
  void resume(Checkpoint checkpoint);
  void train_phase();
  void train_epoch();
  bool enter_next_phase();
  void write_result();
  void save();
  void keep_stage();
  void show_progress() const;
  void fail(const std::string& failure);
  void check_loss(double loss, const std::string& what);
  MethodContext context();
  Batch scoring_batch(std::uint64_t number);
  ConnectionValues gradients(const TrainingState& state, std::uint64_t number);
  ConnectionValues curvature(const TrainingState& state, const ConnectionValues& direction,
                             std::uint64_t number);
  void enter(Stage stage);
  void average_gradients(const Batch& batch);
  void update_mask(std::int64_t done);
  void count_density();

  TrainingRun run_;
  RunRecord record_;
  TrainingState state_;  ///< of the last save or decision; the executor is ahead of it in between
  MethodMemory memory_;
  Stage stage_;
  Position position_;
  std::int64_t counted_ = 0;  ///< batches of the epoch under way that density_epochs holds already
  Split split_;
  BatchMaker train_batches_;
  SampleMaker test_samples_;
  Augmentation augmentation_;
  std::int64_t planned_epochs_;
  std::int64_t epoch_batches_;
  double last_save_ = now_seconds();
};

Training::Training(TrainingRun run)
    : run_(std::move(run)),
      record_(run_.record),
      split_(run_.split
                 ? std::move(*run_.split)
                 : stratified_split(run_.data.train.labels, run_.data.classes,
                                    run_.recipe.validation_fraction > 0
                                        ? run_.recipe.validation_fraction
                                        : default_validation_fraction(run_.data.train.size()),
                                    run_.seed)),
      train_batches_(run_.data.train, normalisation(run_.data), run_.seed),
      test_samples_(run_.data.test, normalisation(run_.data), run_.seed),
      augmentation_(run_.recipe.augment ? Augmentation{run_.data.crop_padding, run_.data.flip,
                                                       run_.data.resized_crop}
                                        : Augmentation{}),
      planned_epochs_(run_.method.planned_epochs(run_.recipe, run_.network)),
      epoch_batches_((std::ssize(split_.train) + run_.recipe.batch_size - 1) /
                     run_.recipe.batch_size) {
  record_.network = run_.network;
  record_.identity.train_images = std::ssize(split_.train);
  record_.identity.validation_images = std::ssize(split_.validation);
  record_.identity.test_images = run_.data.test.size();
  record_.identity.classes = run_.data.classes;
  record_.identity.data_digest = run_.data.digest;
  std::string note;
  std::optional<Checkpoint> checkpoint = read_checkpoint(run_.folder, note);
  if (!note.empty()) {
    run_.say(note);
  }
  if (checkpoint) {
    resume(std::move(*checkpoint));
  } else {
    start_fresh();
  }
  // For readers of states: the run file holds the layers, not how they are connected.
  write_file_atomically(run_.folder / kNetworkFileName, network_text(run_.network));
}

void Training::resume(Checkpoint checkpoint) {
  const bool finished = checkpoint.record.status == RunStatus::finished;
  const std::string place = run_.folder.string();
  record_ = resumed_record(std::move(checkpoint.record), std::move(record_), place, run_.say);
  if (finished) {
    return;
  }
  restore(std::move(checkpoint));
  run_.say(fmt::format("resumed {} at stage {}, epoch {} of {}", record_.identity.name,
                       stage_.phase.stage, position_.epoch_in_phase, stage_.phase.epochs));
}

/// All of a checkpoint but its record.
void Training::restore(Checkpoint checkpoint) {
  state_ = std::move(checkpoint.state);
  position_ = checkpoint.position;
  memory_ = std::move(checkpoint.memory);
  PhaseState phase = read_phase(checkpoint.method_state, run_.folder.string());
  stage_ = std::move(phase.stage);
  counted_ = phase.counted;
  run_.executor.write(state_);
}

/// Stands where the trunk stood at the end of the stage's training: its decision is this run's own.
void Training::branch_off(const Trunk& trunk) {
  Checkpoint checkpoint = read_trunk(run_.folder.parent_path(), trunk, record_);
  take_over(std::move(checkpoint.record), trunk, record_);
  restore(std::move(checkpoint));
  run_.say(fmt::format("branched off from stage {} of {}", trunk.stage, trunk.name));
}

void Training::start_fresh() {
  if (const std::optional<Trunk> trunk = run_.method.trunk()) {
    branch_off(*trunk);
    return;
  }
  state_ = initial_state(run_.network, Mask(run_.network, true), run_.seed);
  MethodContext lent = context();
  Stage first;
  {
    const Stopwatch watch(record_.cost.grow_seconds);
    first = run_.method.begin(lent);
  }
  enter(std::move(first));
}

/// Hands the method's state to the executor and stands at the start of a phase.
void Training::enter(Stage stage) {
  check_mask_invariant(run_.network, state_);
  run_.executor.write(state_);
  stage_ = std::move(stage);
  position_ = Position{};
  position_.phase = std::ssize(record_.stages);
  position_.epoch_in_phase = stage_.phase.first_update / epoch_batches_;
  position_.batch_in_epoch = stage_.phase.first_update % epoch_batches_;
  counted_ = position_.batch_in_epoch;
  memory_.gradient_average.clear();
  if (stage_.phase.snapshot == 0) {
    memory_.kept = state_;
  }
}

MethodContext Training::context() {
  const GradientSource gradient_source = [this](const TrainingState& state, std::uint64_t number) {
    return gradients(state, number);
  };
  CurvatureSource curvature_source;
  if (run_.curvature) {
    curvature_source = [this](const TrainingState& state, const ConnectionValues& direction,
                              std::uint64_t number) { return curvature(state, direction, number); };
  }
  return {run_.network, run_.recipe, run_.seed,       epoch_batches_,   record_,
          state_,       memory_,     gradient_source, curvature_source, run_.folder.parent_path()};
}

/// One of the batches that scores look at.
Batch Training::scoring_batch(std::uint64_t number) {
  RandomStream stream(run_.seed, "gradient-batch", number);
  std::vector<std::int64_t> positions = split_.train;
  stream.shuffle(std::span(positions));
  positions.resize(std::min(positions.size(), static_cast<std::size_t>(run_.recipe.batch_size)));
  return train_batches_.plain(positions);
}

ConnectionValues Training::gradients(const TrainingState& state, std::uint64_t number) {
  const Batch batch = scoring_batch(number);
  record_.cost.dense_gradient_flops += dense_gradient_flops(run_.network, state.mask, batch.size());
  run_.executor.write(state);
  return run_.executor.dense_gradients(batch);
}

/// Counted as two gradients: a derivative along the direction of a forward and a backward pass.
ConnectionValues Training::curvature(const TrainingState& state, const ConnectionValues& direction,
                                     std::uint64_t number) {
  const Batch batch = scoring_batch(number);
  record_.cost.dense_gradient_flops +=
      2 * dense_gradient_flops(run_.network, state.mask, batch.size());
  return run_.curvature(state, direction, batch);
}

/// The dense accumulator of momentum-guided growth, beside the optimiser's own.
void Training::average_gradients(const Batch& batch) {
  const ConnectionValues newest = run_.executor.dense_gradients(batch);
  record_.cost.dense_gradient_flops +=
      dense_gradient_flops(run_.network, state_.mask, batch.size());
  ConnectionValues& average = memory_.gradient_average;
  if (average.empty()) {
    for (const std::vector<float>& layer : newest) {
      average.emplace_back(layer.size(), 0.0F);
    }
  }
  const auto old = static_cast<float>(stage_.phase.gradient_average);
  for (std::size_t l = 0; l < average.size(); ++l) {
    std::transform(average[l].begin(), average[l].end(), newest[l].begin(), average[l].begin(),
                   [old](float a, float g) { return old * a + (1 - old) * g; });
  }
}

/// Adds the batches since the last change of the mask to density_epochs.
void Training::count_density() {
  record_.cost.density_epochs +=
      state_.mask.density() * (static_cast<double>(position_.batch_in_epoch - counted_) /
                               static_cast<double>(epoch_batches_));
  counted_ = position_.batch_in_epoch;
}

void Training::update_mask(std::int64_t done) {
  count_density();
  const Stopwatch watch(record_.cost.grow_seconds);
  state_ = run_.executor.read();
  MethodContext lent = context();
  try {
    run_.method.update(lent, stage_.phase, done);
    check_mask_invariant(run_.network, state_);
  } catch (const Error& error) {
    fail(fmt::format("at stage {}, update {}: {}", stage_.phase.stage, done, error.what()));
    throw;
  }
  run_.executor.write(state_);
}

void Training::save() {
  const Stopwatch watch(record_.cost.record_seconds);
  record_.cost.peak_memory_bytes = std::max(record_.cost.peak_memory_bytes, peak_memory_bytes());
  // The checkpoint first: it is the truth, the run file only shows it.
  write_checkpoint(run_.folder,
                   {record_, state_, position_, phase_text({stage_, counted_}), memory_});
  write_run_file(run_.folder / kRunFileName, record_);
  last_save_ = now_seconds();
}

/// Keeps the record of a run that cannot go on.
void Training::fail(const std::string& failure) {
  record_.status = RunStatus::failed;
  record_.failure = failure;
  write_run_file(run_.folder / kRunFileName, record_);
}

/// A sum of losses that is not finite ends the run.
void Training::check_loss(double loss, const std::string& what) {
  if (std::isfinite(loss)) {
    return;
  }
  fail(fmt::format("the {} loss is {} at stage {}, epoch {} of {}, batch {}", what, loss,
                   stage_.phase.stage, std::min(position_.epoch_in_phase + 1, stage_.phase.epochs),
                   stage_.phase.epochs, position_.batch_in_epoch));
  throw Error(record_.identity.name, record_.failure,
              "lower --learning-rate or raise --warmup; the record up to here is in " +
                  (run_.folder / kRunFileName).string());
}

void Training::show_progress() const {
  TrainingProgress progress;
  progress.phase = stage_.phase.role;
  progress.stage = stage_.phase.stage;
  progress.epoch = position_.epoch_in_phase + 1;
  progress.phase_epochs = stage_.phase.epochs;
  progress.loss =
      position_.samples > 0 ? position_.loss_sum / static_cast<double>(position_.samples) : 0;
  progress.density = state_.mask.density();
  const double epochs = static_cast<double>(record_.trajectory.size()) +
                        static_cast<double>(position_.samples) /
                            static_cast<double>(std::max<std::size_t>(1, split_.train.size()));
  progress.done =
      std::min(1.0, epochs / static_cast<double>(std::max<std::int64_t>(1, planned_epochs_)));
  run_.progress(progress);
}

void Training::train_epoch() {
  const auto count = std::ssize(split_.train);
  const std::int64_t batches = epoch_batches_;
  const auto epoch = static_cast<std::uint64_t>(record_.trajectory.size());
  std::vector<std::int64_t> order = epoch_order(count, run_.seed, epoch);
  for (std::int64_t& entry : order) {
    entry = split_.train[static_cast<std::size_t>(entry)];
  }
  const std::int64_t phase_steps = stage_.phase.epochs * batches;
  Loader loader(
      train_batches_.samples(),
      {std::move(order), run_.recipe.batch_size, augmentation_, epoch, position_.batch_in_epoch},
      run_.loader_threads);
  double waited = 0;  // of this loader's waiting, already in the record
  while (position_.batch_in_epoch < batches) {
    {
      const Stopwatch watch(record_.cost.train_seconds);
      const Batch batch = loader.next();
      record_.cost.data_wait_seconds += loader.waited_seconds() - waited;
      waited = loader.waited_seconds();
      if (stage_.phase.gradient_average > 0) {
        average_gradients(batch);
      }
      const BatchSums sums = run_.executor.forward_backward(batch);
      check_loss(sums.loss, "training");
      const double rate =
          learning_rate(stage_.phase.schedule,
                        position_.epoch_in_phase * batches + position_.batch_in_epoch, phase_steps);
      recipe_step(run_.recipe, rate, run_.executor);
      position_.loss_sum += sums.loss;
      position_.correct += sums.correct;
      position_.samples += sums.samples;
      ++position_.batch_in_epoch;
      ++record_.cost.steps;
      record_.cost.training_flops += training_flops(run_.network, state_.mask, sums.samples);
    }
    const std::int64_t done = position_.epoch_in_phase * batches + position_.batch_in_epoch;
    if (stage_.phase.mask_interval > 0 && done % stage_.phase.mask_interval == 0 &&
        done <= stage_.phase.mask_until) {
      update_mask(done);
    }
    if (done == stage_.phase.snapshot) {
      state_ = run_.executor.read();
      memory_.kept = state_;
    }
    show_progress();
    if (position_.batch_in_epoch < batches &&
        now_seconds() - last_save_ >= run_.checkpoint_seconds) {
      state_ = run_.executor.read();
      save();
    }
  }
  BatchSums validation;
  {
    const Stopwatch watch(record_.cost.evaluate_seconds);
    validation =
        evaluate(run_.executor, train_batches_.samples(), split_.validation, run_.loader_threads);
  }
  check_loss(validation.loss, "validation");
  ++record_.cost.epochs;
  count_density();
  TrajectoryRow row;
  row.step = record_.cost.steps;
  row.epoch = record_.cost.epochs;
  row.stage = stage_.phase.stage;
  row.phase = stage_.phase.role;
  row.density = state_.mask.density();
  row.learning_rate = learning_rate(stage_.phase.schedule,
                                    (position_.epoch_in_phase + 1) * batches - 1, phase_steps);
  row.train_loss = position_.loss_sum / static_cast<double>(position_.samples);
  row.train_accuracy =
      static_cast<double>(position_.correct) / static_cast<double>(position_.samples);
  row.validation_loss = validation.loss / static_cast<double>(validation.samples);
  row.validation_accuracy =
      static_cast<double>(validation.correct) / static_cast<double>(validation.samples);
  row.training_flops = all_flops(record_.cost);
  row.seconds = all_seconds(record_.cost);
  record_.trajectory.push_back(row);
  position_.epoch_in_phase += 1;
  position_.batch_in_epoch = 0;
  counted_ = 0;
  position_.loss_sum = 0;
  position_.correct = 0;
  position_.samples = 0;
  state_ = run_.executor.read();
  save();
}

void Training::train_phase() {
  while (position_.epoch_in_phase < stage_.phase.epochs) {
    train_epoch();
  }
}

void Training::keep_stage() {
  if (!run_.keep_stages) {
    return;
  }
  const Stopwatch watch(record_.cost.record_seconds);
  write_stage(run_.folder, stage_.phase.stage,
              {record_, state_, position_, phase_text({stage_, counted_}), memory_});
}

bool Training::enter_next_phase() {
  keep_stage();
  const TrajectoryRow& last = record_.trajectory.back();
  StageMask mask;
  mask.stage = stage_.phase.stage;
  mask.mask = state_.mask;
  {
    const Stopwatch watch(record_.cost.statistics_seconds);
    Mask ever = state_.mask;
    for (const StageMask& earlier : record_.masks) {
      unite(ever, earlier.mask);
    }
    const Mask* previous = record_.masks.empty() ? nullptr : &record_.masks.back().mask;
    mask.statistics =
        mask_statistics(run_.network, state_.values, state_.mask, previous, ever,
                        {0.9, run_.seed, static_cast<std::uint64_t>(stage_.phase.stage)});
  }
  for (std::size_t l = 0; l < stage_.mask.allocation.counts.size(); ++l) {
    mask.statistics.layers[l].wanted = stage_.mask.allocation.wanted[l];
    mask.statistics.layers[l].integer = stage_.mask.allocation.counts[l];
  }
  StageRow row;
  row.stage = stage_.phase.stage;
  row.phase = stage_.phase.role;
  row.present = state_.mask.present();
  row.density = state_.mask.density();
  row.epochs = stage_.phase.epochs;
  row.validation_loss = last.validation_loss;
  row.validation_accuracy = last.validation_accuracy;
  row.grown = stage_.mask.grown;
  row.repaired = stage_.mask.repaired;
  row.growth_overlap = stage_.mask.growth_overlap;
  row.scores = stage_.mask.scores;
  row.fit.outcome = Outcome::too_few_stages;
  // What earlier stages did not account for, so that it comes out the same after a resume.
  row.training_flops = all_flops(record_.cost);
  row.seconds = all_seconds(record_.cost);
  for (const StageRow& earlier : record_.stages) {
    row.training_flops -= earlier.training_flops;
    row.seconds -= earlier.seconds;
  }
  record_.stages.push_back(std::move(row));
  record_.masks.push_back(std::move(mask));

  std::optional<Stage> next;
  {
    const Stopwatch watch(record_.cost.grow_seconds);
    MethodContext lent = context();
    try {
      next = run_.method.next(lent, stage_);
    } catch (const Error& error) {
      fail(fmt::format("after stage {}: {}", stage_.phase.stage, error.what()));
      throw;
    }
  }
  const StageRow& done = record_.stages.back();
  run_.say(fmt::format("stage {:>2}  density {:6.4f}  validation {:5.2f} %  {}", done.stage,
                       done.density, 100 * done.validation_accuracy, done.decision));
  if (!next) {
    return false;
  }
  enter(std::move(*next));
  save();
  return true;
}

void Training::write_result() {
  RunResult result;
  result.test_predictions.resize(run_.data.test.labels.size());
  BatchSums test;
  {
    const Stopwatch watch(record_.cost.evaluate_seconds);
    test = evaluate(run_.executor, test_samples_, all_positions(run_.data.test.size()),
                    run_.loader_threads, {.classes = result.test_predictions});
  }
  check_loss(test.loss, "test");
  const StageRow& last = record_.stages.back();
  result.state = state_;
  result.density = state_.mask.density();
  result.validation_accuracy = last.validation_accuracy;
  result.validation_loss = last.validation_loss;
  result.test_accuracy = static_cast<double>(test.correct) / static_cast<double>(test.samples);
  result.test_loss = test.loss / static_cast<double>(test.samples);
  result.test_labels = run_.data.test.labels;
  result.inference_flops = forward_flops(run_.network, state_.mask.counts());
  record_.result = std::move(result);
  record_.status = RunStatus::finished;
  save();
}

RunRecord Training::finish() {
  if (record_.status == RunStatus::finished) {
    // Killed between the last checkpoint and the run file: show it again.
    write_run_file(run_.folder / kRunFileName, record_);
    return std::move(record_);
  }
  do {
    train_phase();
  } while (enter_next_phase());
  write_result();
  return std::move(record_);
}

}  // namespace

RunRecord train(TrainingRun run) { return Training(std::move(run)).finish(); }

}  // namespace gcg
