#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "data/prepared.h"
#include "record/run_file.h"
#include "train/phase_state.h"
#include "train/resume.h"
#include "train/training.h"
#include "train/trunk.h"

namespace gcg {

namespace {

Split split_of(TrainingRun& run) {
  if (run.split) {
    return std::move(*run.split);
  }
  const double fraction = run.recipe.validation_fraction > 0
                              ? run.recipe.validation_fraction
                              : default_validation_fraction(run.data.train.size());
  return stratified_split(run.data.train.labels, run.data.classes, fraction, run.seed);
}

/// The record of a run that has not begun.
RunRecord fresh_record(TrainingRun& run, const Split& split) {
  RunRecord record = std::move(run.record);
  record.network = run.network;
  record.predictions.images = split.validation;
  record.identity.train_images = std::ssize(split.train);
  record.identity.validation_images = std::ssize(split.validation);
  record.identity.test_images = run.data.test.size();
  record.identity.classes = run.data.classes;
  record.identity.data_digest = run.data.digest;
  return record;
}

/// Lets the executor hold the training images if it can, and if they are used as they are. From
/// then on they are its own: what happens to their file later changes nothing. That they did not
/// fit on a GPU is told once.
void choose_delivery(Training& training) {
  const TrainingRun& run = training.run;
  const ImageSet& images = run.data.train;
  training.delivery = sent_as(run.executor);
  if (run.recipe.mixing.any()) {
    training.delivery = Delivery::values;
    return;
  }
  if (images.encoded() || recipe_augmentation(run.recipe, run.data).remakes()) {
    return;
  }
  const bool held = run.executor.hold(training.batches.samples().raw());
  if (held) {
    training.delivery = Delivery::places;
    if (images.prepared) {
      images.prepared->check_unchanged();
    }
  }
  const std::string& device = training.now.record.execution.device;
  std::vector<std::string>& warnings = training.now.record.warnings;
  const std::string warning = fmt::format(
      "the training images, {:.1f} GB, do not fit beside the run on {}: they come from "
      "the host",
      1e-9 * static_cast<double>(images.raw_pixels().size()), device);
  if (!held && device == "cuda" && std::ranges::find(warnings, warning) == warnings.end()) {
    warnings.push_back(warning);
    run.say("warning: " + warning);
  }
}

/// Stands where a checkpoint stood; its record is the run's already.
void stand_at(Training& training, Checkpoint checkpoint, const std::string& place) {
  PhaseState phase = read_phase(checkpoint.method_state, place);
  training.stage = std::move(phase.stage);
  training.counted = phase.counted;
  training.now = std::move(checkpoint);
  check_position(training.now, training.stage, training.counted,
                 {training.epoch_batches, std::ssize(training.split.train)}, place);
  hand_over(training);
}

/// The record of a run that is finished by its run file alone: whoever cleared the checkpoints away
/// made room and wants nothing trained again. Nothing where there is none; that work is
/// lost, or that the file cannot be read, is told.
std::optional<RunRecord> finished_record(const TrainingRun& run) {
  const std::filesystem::path path = run.folder / kRunFileName;
  if (!std::filesystem::exists(path)) {
    return std::nullopt;
  }
  try {
    RunRecord record = read_run_file(path);
    if (record.status == RunStatus::finished) {
      return record;
    }
    if (!record.trajectory.empty()) {
      run.say("warning: there is no checkpoint any more: the run starts again");
    }
  } catch (const Error& error) {
    const std::string_view text = error.what();
    run.say(fmt::format("warning: {}; there is no checkpoint either: the run starts again",
                        text.substr(0, text.find('\n'))));
  }
  return std::nullopt;
}

}  // namespace

Delivery sent_as(const Executor& executor) {
  return executor.takes_bytes() ? Delivery::bytes : Delivery::values;
}

Training prepare(TrainingRun& run) {
  Split split = split_of(run);
  const std::int64_t batches =
      (std::ssize(split.train) + run.recipe.batch_size - 1) / run.recipe.batch_size;
  Training training{run,
                    std::move(split),
                    BatchMaker(run.data.train, normalisation(run.data), run.seed),
                    SampleMaker(run.data.test, normalisation(run.data), run.seed),
                    run.method.planned_epochs(run.recipe, run.network),
                    batches,
                    {run.folder, run.checkpoint_seconds, run.keep_stages},
                    std::make_unique<Loader>(run.loader_threads)};
  training.stage.phase.epochs = 0;  // none is under way
  RunRecord own = fresh_record(run, training.split);
  const std::string place = run.folder.string();
  std::string note;
  std::optional<Checkpoint> checkpoint = read_checkpoint(run.folder, note);
  if (!note.empty()) {
    run.say(fmt::format("warning: went on from the checkpoint before the newest one ({})", note));
  }
  if (checkpoint) {
    checkpoint->record =
        resumed_record(std::move(checkpoint->record), std::move(own), place, run.say);
    if (checkpoint->record.status == RunStatus::finished) {
      training.now = std::move(*checkpoint);
      return training;
    }
    stand_at(training, std::move(*checkpoint), place);
    run.say(fmt::format("resumed {} at stage {}, epoch {} of {}", training.now.record.identity.name,
                        training.stage.phase.stage, training.now.position.epoch_in_phase,
                        training.stage.phase.epochs));
  } else if (std::optional<RunRecord> finished = finished_record(run)) {
    training.now.record = resumed_record(std::move(*finished), std::move(own), place, run.say);
    return training;
  } else if (const std::optional<Trunk> trunk = run.method.trunk()) {
    Checkpoint stage = read_trunk(run.folder.parent_path(), *trunk, own);
    take_over(std::move(stage.record), *trunk, own);
    stage.record = std::move(own);
    stand_at(training, std::move(stage), place);
    run.say(fmt::format("branched off from stage {} of {}", trunk->stage, trunk->name));
  } else {
    training.now.record = std::move(own);
  }
  check_same(training, "at the start");
  choose_delivery(training);
  tell_failure(run.folder, training.now.record, run.say);
  return training;
}

}  // namespace gcg
