#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/batches.h"
#include "data/loader.h"
#include "train/agree.h"
#include "train/recorder.h"
#include "train/trainer.h"

namespace gcg {

/// Seconds of a step or a validation before which the run keeps where it stands, for whoever ends
/// it meanwhile.
inline constexpr double kLongStep = 2;

/// One run in progress: what it was given and all that changes while it trains.
struct Training {
  TrainingRun& run;
  Split split;
  BatchMaker batches;  ///< of training images
  SampleMaker test_samples;
  std::int64_t planned_epochs;
  std::int64_t epoch_batches;  ///< updates per epoch
  Recorder recorder;
  std::unique_ptr<Loader> loader;  ///< of all batches of epochs and evaluations
  Checkpoint
      now{};      ///< its state: of the last decision or saving; the executor is ahead in between
  Stage stage{};  ///< in progress
  Delivery delivery = Delivery::values;  ///< of training images
  std::vector<float> branch_factors{};   ///< of the batch at hand
  bool ahead = false;        ///< the executor has made steps that the state in `now` has not
  std::int64_t counted = 0;  ///< batches of the epoch under way that density_epochs holds already
  double step_seconds = std::numeric_limits<double>::infinity();        ///< of the last step
  double validation_seconds = std::numeric_limits<double>::infinity();  ///< of the last one
  Wishes wishes{};  ///< that the ranks agreed on before the step under way
  /// An Error that is thrown now follows from the options of the run: a decision or a measure is
  /// under way, and nothing in it that needs images, a device or another run.
  bool by_options = false;
};

// ---- start.cpp

/// Reads the checkpoint of the run, or the stage of its trunk; a fresh run gets a stage with no
/// epochs. Errors: as for train().
Training prepare(TrainingRun& run);

/// How an executor gets the images of a batch that it does not hold.
Delivery sent_as(const Executor& executor);

// ---- epoch.cpp

/// Brings `now` to where the executor stands: the sums of batches that it still owes, and its state
/// if it is ahead.
void catch_up(Training& training);

/// The state and the average of gradients in `now` to the executor, and from there.
void hand_over(Training& training);
void take_back(Training& training);

/// Trains the rest of the epoch under way, with the mask updates and the snapshot that the phase
/// asks for in it, then adds the row of its validation to the trajectory.
void train_epoch(Training& training);

/// Evaluates the test set and sets the run's result.
void test(Training& training);

// ---- decisions.cpp

/// Starts the method's first stage from fresh dense values.
void begin(Training& training);

/// Whether all epochs of the stage have been trained.
bool stage_ended(const Training& training);

/// Ends the stage in the record and asks the method what follows. False: nothing follows.
bool next_stage(Training& training);

/// The method's mask update after the phase's `done`-th update.
void update_mask(Training& training, std::int64_t done);

/// One update of the executor's average by a batch's dense gradients.
void average_gradients(Training& training, const Batch& batch);

/// Adds the batches since the last change of the mask to density_epochs.
void count_density(Training& training);

/// check_same_state(), with the present stage.
void check_same(Training& training, std::string_view when);

/// save() of the recorder, with the present stage. If the folder is lost, throws Stopped.
void save(Training& training);

// ---- stop.cpp

/// Lets another thread save the present state, until the next step or saving.
void keep(Training& training);

/// Called after a step: drops the kept state. The ranks agree on what comes next. If the run was
/// asked to stop, it is saved and Stopped is thrown.
void pass(Training& training);

}  // namespace gcg
