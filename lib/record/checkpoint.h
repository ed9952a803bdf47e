#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/state.h"
#include "record/run_record.h"

namespace gcg {

/// How far training has come.
struct Position {
  std::int64_t phase = 0;  ///< number of finished phases
  std::int64_t epoch_in_phase = 0;
  std::int64_t batch_in_epoch = 0;  ///< 0 at an epoch's start; > 0 within an epoch
  double loss_sum = 0;              ///< of the epoch so far
  std::int64_t correct = 0;
  std::int64_t samples = 0;
};

/// What a method remembers besides the record and the state.
struct MethodMemory {
  std::optional<TrainingState> kept;                 ///< a state to go back to
  std::vector<std::vector<float>> gradient_average;  ///< dense, per layer; empty if none is kept
  bool operator==(const MethodMemory&) const = default;
};

/// Everything needed to continue a run. It is authoritative: the run file is rebuilt from it.
struct Checkpoint {
  RunRecord record;
  TrainingState state;
  Position position;
  std::string method_state;  ///< JSON text of the phase under way
  MethodMemory memory{};
};

/// Writes folder/checkpoint.gcg atomically with magic, version, size and SHA-256, and keeps the
/// previous one as folder/checkpoint.previous.gcg.
void write_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint);

/// Reads the newest intact checkpoint; nothing if there is none at all. If the newest is damaged or
/// cannot be read, `note` says so (file and reason) and the previous one is used; if both are: an
/// Error. A checkpoint of another version is an Error, not damage.
std::optional<Checkpoint> read_checkpoint(const std::filesystem::path& folder, std::string& note);

/// Keeps the state at the end of a stage's training, before the decision that follows, as
/// folder/stages/stage_KKK.gcg: the container of a checkpoint with another payload
/// (stage_payload.h). Of the record it has identity without options, layers, warnings and costs;
/// the rows, masks and predictions up to there are in the run file, so that a stage costs the same
/// however many came before. Atomic; an existing file is replaced. What it returns flushes the file
/// to disk: to be called before the next checkpoint.
[[nodiscard]] std::function<void()> write_stage(const std::filesystem::path& folder,
                                                std::int64_t stage, const Checkpoint& checkpoint);

/// The path of that file.
std::filesystem::path stage_path(const std::filesystem::path& folder, std::int64_t stage);

/// Reads it back. Errors: the file is missing (the existing stages are named), damaged or of
/// another stage. check_belongs (record/belongs.h) checks which run it belongs to. The record has
/// no rows: position.phase and record.cost.epochs say how many stages and epochs there were.
Checkpoint read_stage(const std::filesystem::path& folder, std::int64_t stage);

}  // namespace gcg
