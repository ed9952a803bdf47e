#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "data/batches.h"
#include "train/agree.h"
#include "train/recorder.h"
#include "train/trainer.h"

namespace gcg {

/// One run under way: what it was given, and all that changes while it trains.
struct Training {
  TrainingRun& run;
  Split split;
  BatchMaker batches;  ///< of training images
  SampleMaker test_samples;
  std::int64_t planned_epochs;
  std::int64_t epoch_batches;  ///< updates per epoch
  Recorder recorder;
  Checkpoint
      now{};      ///< its state: of the last decision or saving; the executor is ahead in between
  Stage stage{};  ///< under way
  bool held = false;         ///< the executor holds the training images
  std::int64_t counted = 0;  ///< batches of the epoch under way that density_epochs holds already
  double step_seconds = std::numeric_limits<double>::infinity();  ///< of the last step
  Wishes wishes{};  ///< that the ranks agreed on before the step under way
};

// ---- start.cpp

/// Reads the checkpoint of the run or the stage of its trunk; a fresh run stands in a stage of no
/// epochs. Errors: as train() says of them.
Training prepare(TrainingRun& run);

// ---- epoch.cpp

/// Brings `now` to where the executor stands, within an epoch: its state and the sums of batches
/// that it still owes.
void catch_up(Training& training);

/// Trains the rest of the epoch under way, with the mask updates and the snapshot that the phase
/// asks for in it, then adds the row of its validation to the trajectory.
void train_epoch(Training& training);

/// Reads the test set and the end of the run into its result.
void test(Training& training);

// ---- decisions.cpp

/// The method's first stage on fresh dense values.
void begin(Training& training);

/// Whether all epochs of the stage are trained.
bool stage_ended(const Training& training);

/// Ends the stage in the record and asks the method what follows. False: nothing.
bool next_stage(Training& training);

/// A mask update of the method, after the phase's `done`-th update.
void update_mask(Training& training, std::int64_t done);

/// One update of memory.gradient_average by a batch's dense gradients.
void average_gradients(Training& training, const Batch& batch);

/// Adds the batches since the last change of the mask to density_epochs.
void count_density(Training& training);

/// check_same_state(), with the stage under way.
void check_same(Training& training, std::string_view when);

/// save() of the recorder, with the stage under way. Throws Stopped instead if the folder is lost.
void save(Training& training);

// ---- stop.cpp

/// Lets another thread save where training stands now, until the next step or saving.
void keep(Training& training);

/// After a step: what was kept is behind the run. Ranks agree on what comes next. Where the run was
/// asked to stop it is saved first and Stopped thrown.
void pass(Training& training);

}  // namespace gcg
