#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "backend/ranks.h"
#include "base/error.h"
#include "base/random.h"
#include "data/loader.h"
#include "train/branches.h"
#include "train/clock.h"
#include "train/cost.h"
#include "train/evaluate.h"
#include "train/training.h"

namespace gcg {

namespace {

/// A sum of losses that is not finite ends the run.
void check_loss(Training& training, double loss, const char* what) {
  if (!std::isfinite(loss)) {
    training.by_options = true;
    throw Error(training.now.record.identity.name, fmt::format("the {} loss is {}", what, loss),
                "lower --learning-rate or raise --warmup");
  }
}

/// Updates of the phase so far, those left out at its start included.
std::int64_t updates_done(const Training& training) {
  const Position& position = training.now.position;
  return position.epoch_in_phase * training.epoch_batches + position.batch_in_epoch;
}

double rate_at(const Training& training, std::int64_t update) {
  const Phase& phase = training.stage.phase;
  return learning_rate(phase.schedule, update, phase.epochs * training.epoch_batches);
}

/// Has the loader make the images of an epoch of training in their order.
void begin_epoch(Training& training) {
  const TrainingRun& run = training.run;
  const std::uint64_t epoch = training.now.record.trajectory.size();
  std::vector<std::int64_t> order = epoch_order(std::ssize(training.split.train), run.seed, epoch);
  for (std::int64_t& entry : order) {
    entry = training.split.train[static_cast<std::size_t>(entry)];
  }
  LoaderPlan plan{std::move(order),
                  run.recipe.batch_size,
                  recipe_augmentation(run.recipe, run.data),
                  epoch,
                  training.now.position.batch_in_epoch,
                  training.delivery};
  plan.mixing = run.recipe.mixing;
  plan.seed = run.seed;
  if (run.ranks != nullptr) {
    plan.rank = run.ranks->rank();
    plan.ranks = run.ranks->size();
  }
  training.loader->begin(training.batches.samples(), std::move(plan));
}

/// The next batch, whose number in the epoch is given, with what the recipe does to it in training.
Batch training_batch(Training& training, std::int64_t number) {
  const TrainingRun& run = training.run;
  Batch batch = training.loader->next();
  batch.label_smoothing = run.recipe.label_smoothing;
  if (run.network.drop_count > 0) {
    const std::uint64_t epoch = training.now.record.trajectory.size();
    const RandomStream stream(run.seed, "stochastic-depth",
                              stream_index(epoch, static_cast<std::uint64_t>(number)));
    const std::int64_t whole = batch.whole_size();
    const Share share =
        batch.of > 0 ? share_of(whole, run.ranks->rank(), run.ranks->size()) : Share{0, whole};
    training.branch_factors = draw_branch_factors(run.network, whole, share, stream);
    batch.branch_factors = training.branch_factors;
  }
  return batch;
}

/// Adds the sums of the next batches to those of the epoch.
void add_sums(Training& training, std::span<const BatchSums> batches) {
  Position& position = training.now.position;
  for (const BatchSums& sums : batches) {
    check_loss(training, sums.loss, "training");
    position.loss_sum += sums.loss;
    position.correct += sums.correct;
    position.samples += sums.samples;
  }
}

void train_batch(Training& training, const Batch& batch) {
  CostRecord& cost = training.now.record.cost;
  if (training.stage.phase.gradient_average > 0) {
    average_gradients(training, batch);
  }
  training.ahead = true;
  add_sums(training, training.run.executor.queue(batch));
  recipe_step(training.run.recipe, rate_at(training, updates_done(training)),
              training.run.executor);
  ++training.now.position.batch_in_epoch;
  ++cost.steps;
  cost.training_flops +=
      training_flops(training.run.network, training.now.state.mask, batch.whole_size());
}

/// The sums of all batches that were trained.
void settle(Training& training) {
  const Stopwatch watch(training.now.record.cost.train_seconds);
  add_sums(training, training.run.executor.settle());
}

void show_progress(const Training& training) {
  const Position& position = training.now.position;
  TrainingProgress progress;
  progress.phase = training.stage.phase.role;
  progress.stage = training.stage.phase.stage;
  progress.epoch = position.epoch_in_phase + 1;
  progress.phase_epochs = training.stage.phase.epochs;
  progress.loss =
      position.samples > 0 ? position.loss_sum / static_cast<double>(position.samples) : 0;
  progress.density = training.now.state.mask.density();
  const double epochs =
      static_cast<double>(training.now.record.trajectory.size()) +
      static_cast<double>(position.samples) /
          static_cast<double>(std::max<std::size_t>(1, training.split.train.size()));
  progress.done = std::min(
      1.0, epochs / static_cast<double>(std::max<std::int64_t>(1, training.planned_epochs)));
  training.run.progress(progress);
}

/// Of the stage under way.
bool is_last_epoch(const Training& training) {
  return training.now.position.epoch_in_phase + 1 >= training.stage.phase.epochs;
}

/// On the validation images; after a stage's last epoch their losses and hits go into the record.
BatchSums validate(Training& training) {
  RunRecord& record = training.now.record;
  const TrainingRun& run = training.run;
  const std::vector<std::int64_t>& images = training.split.validation;
  const Stopwatch watch(record.cost.evaluate_seconds);
  // Mixed batches are sent as values, others need not be.
  const Delivery delivery =
      training.delivery == Delivery::values ? sent_as(run.executor) : training.delivery;
  if (!is_last_epoch(training)) {
    return evaluate(run.executor, *training.loader, training.batches.samples(), images, {},
                    delivery, run.ranks);
  }
  StagePredictions stage{training.stage.phase.stage, std::vector<float>(images.size()), {}};
  std::vector<std::int32_t> classes(images.size());
  const BatchSums sums = evaluate(run.executor, *training.loader, training.batches.samples(),
                                  images, {classes, stage.losses}, delivery, run.ranks);
  for (std::size_t i = 0; i < images.size(); ++i) {
    stage.hits.push_back(classes[i] == run.data.train.labels[static_cast<std::size_t>(images[i])]);
  }
  record.predictions.stages.push_back(std::move(stage));
  return sums;
}

/// The row of an epoch whose batches are trained.
void evaluate_epoch(Training& training) {
  RunRecord& record = training.now.record;
  Position& position = training.now.position;
  const double begin = now_seconds();
  const BatchSums validation = validate(training);
  training.validation_seconds = now_seconds() - begin;
  check_loss(training, validation.loss, "validation");
  ++record.cost.epochs;
  count_density(training);
  const auto share = [](auto sum, std::int64_t samples) {
    return static_cast<double>(sum) / static_cast<double>(samples);
  };
  TrajectoryRow row;
  row.step = record.cost.steps;
  row.epoch = record.cost.epochs;
  row.stage = training.stage.phase.stage;
  row.phase = training.stage.phase.role;
  row.density = training.now.state.mask.density();
  row.learning_rate = rate_at(training, updates_done(training) - 1);
  row.train_loss = share(position.loss_sum, position.samples);
  row.train_accuracy = share(position.correct, position.samples);
  row.validation_loss = share(validation.loss, validation.samples);
  row.validation_accuracy = share(validation.correct, validation.samples);
  row.training_flops = recorded_flops(record.cost);
  row.seconds = recorded_seconds(record.cost);
  record.trajectory.push_back(row);
  position = {.phase = position.phase, .epoch_in_phase = position.epoch_in_phase + 1};
  training.counted = 0;
}

}  // namespace

void catch_up(Training& training) {
  settle(training);
  if (training.ahead) {
    const Stopwatch watch(training.now.record.cost.record_seconds);
    take_back(training);
  }
}

void hand_over(Training& training) {
  training.run.executor.write(training.now.state);
  training.run.executor.set_gradient_average(training.now.memory.gradient_average);
  training.ahead = false;
}

void take_back(Training& training) {
  training.now.state = training.run.executor.read();
  training.now.memory.gradient_average = training.run.executor.gradient_average();
  training.ahead = false;
}

void train_epoch(Training& training) {
  const Phase& phase = training.stage.phase;
  const std::int64_t batches = training.epoch_batches;
  Position& position = training.now.position;
  CostRecord& cost = training.now.record.cost;
  Executor& executor = training.run.executor;
  Loader& loader = *training.loader;
  begin_epoch(training);
  double waited = loader.waited_seconds();  // of its waiting, already in the record
  while (position.batch_in_epoch < batches) {
    const double begin = now_seconds();
    const bool updates = std::ranges::binary_search(phase.mask_updates, updates_done(training) + 1);
    if (updates || training.wishes.slow) {
      catch_up(training);
      keep(training);
    }
    {
      const Stopwatch watch(cost.train_seconds);
      const Batch batch = training_batch(training, position.batch_in_epoch);
      cost.data_wait_seconds += loader.waited_seconds() - waited;
      waited = loader.waited_seconds();
      train_batch(training, batch);
    }
    const std::int64_t done = updates_done(training);
    if (std::ranges::binary_search(phase.mask_updates, done)) {
      update_mask(training, done);
    }
    if (done == phase.snapshot) {
      const Stopwatch watch(cost.record_seconds);
      training.now.memory.kept = executor.read();
    }
    training.step_seconds = now_seconds() - begin;
    pass(training);
    show_progress(training);
    if (position.batch_in_epoch < batches && training.wishes.save) {
      catch_up(training);
      save(training);
    }
  }
  settle(training);
  // Where nothing is saved after epochs the state is not read after each of them either, unless
  // what follows may take long: a slow validation, or the decision after the last epoch.
  if (training.run.save_after_epochs || is_last_epoch(training) ||
      training.validation_seconds > kLongStep) {
    catch_up(training);
    keep(training);
  }
  evaluate_epoch(training);
}

void test(Training& training) {
  const TrainingRun& run = training.run;
  RunRecord& record = training.now.record;
  RunResult result;
  result.test_predictions.resize(run.data.test.labels.size());
  std::vector<std::int64_t> all(static_cast<std::size_t>(run.data.test.size()));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  BatchSums sums;
  {
    const Stopwatch watch(record.cost.evaluate_seconds);
    sums = evaluate(run.executor, *training.loader, training.test_samples, all,
                    {.classes = result.test_predictions}, sent_as(run.executor), run.ranks);
  }
  check_loss(training, sums.loss, "test");
  const StageRow& last = record.stages.back();
  result.state = training.now.state;
  result.density = result.state.mask.density();
  result.validation_accuracy = last.validation_accuracy;
  result.validation_loss = last.validation_loss;
  result.test_accuracy = static_cast<double>(sums.correct) / static_cast<double>(sums.samples);
  result.test_loss = sums.loss / static_cast<double>(sums.samples);
  result.test_labels = run.data.test.labels;
  result.inference_flops = forward_flops(run.network, result.state.mask.counts());
  record.result = std::move(result);
}

}  // namespace gcg
