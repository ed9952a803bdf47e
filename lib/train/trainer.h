#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backend/executor.h"
#include "backend/ranks.h"
#include "data/dataset.h"
#include "data/split.h"
#include "record/run_record.h"
#include "train/method.h"
#include "train/recipe.h"
#include "train/stop.h"

namespace gcg {

/// What the progress line shows.
struct TrainingProgress {
  Role phase = Role::stage;
  std::int64_t stage = 0;
  std::int64_t epoch = 0;  ///< 1-based, within the phase
  std::int64_t phase_epochs = 0;
  double loss = 0;  ///< mean so far in this epoch
  double density = 0;
  double done = 0;  ///< share of the planned epochs
};

/// One run: all that the trainer needs. References must outlive the call.
struct TrainingRun {
  const Network& network;
  const DataSet& data;
  const Recipe& recipe;
  const Method& method;
  Executor& executor;
  std::uint64_t seed = 1;
  /// The split of data.train that make_task made for the recipe; without it the stratified split.
  std::optional<Split> split{};
  std::filesystem::path folder{};   ///< must exist; belongs to this run alone
  double checkpoint_seconds = 300;  ///< longest time between two checkpoints
  /// Whether there is one after an epoch as soon as saving takes kRecordingShare of the time at
  /// most; else only after a stage.
  bool save_after_epochs = true;
  bool keep_stages = true;  ///< the state at the end of every stage, for branches and export
  /// A Hessian-vector product on a batch, for the scores that need one; the executors have none.
  std::function<ConnectionValues(const TrainingState&, const ConnectionValues&, const Batch&)>
      curvature{};
  std::int64_t loader_threads = 1;  ///< threads that make batches ahead; no effect on results
  std::shared_ptr<Stop> stop = std::make_shared<Stop>();  ///< for another thread to end it
  /// The processes that train the run together; the executor has joined them. Null: this one alone.
  /// All are given the same; rank 0 writes.
  Ranks* ranks = nullptr;
  /// Facts about identity, build and host; the trainer fills in the rest.
  RunRecord record{};
  std::function<void(const TrainingProgress&)> progress = [](const TrainingProgress&) {};
  std::function<void(const std::string&)> say = [](const std::string&) {};  ///< one line that stays
};

/// Trains from the last checkpoint in the folder, or from the start, to the end; writes a
/// checkpoint and the run file now and then (save_is_due), and keeps the state of every stage's
/// end (keep_stage). A finished run is returned as it is. Interrupted anywhere and called again it
/// ends with the same bits (columns of time and memory excepted).
///
/// Errors: a checkpoint of another identity or data digest, or an impossible one; a trunk that
/// read_trunk refuses; a run that failed twice in the same way by its options (a non-finite loss,
/// the method, measures). Any std::exception that ends the run is passed on after the run file has
/// got the status failed, the place and the reason; before the first decision only a run file that
/// an earlier process left. Called again, the run continues from its last checkpoint. Anything else
/// thrown by progress or say leaves the folder as a killed process would. Stopped (train/stop.h):
/// it was asked to end. Ranks whose states differ: an Error that names rank and layer, on all of
/// them.
RunRecord train(TrainingRun run);

}  // namespace gcg
