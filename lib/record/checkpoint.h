#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "backend/state.h"
#include "record/run_record.h"

namespace gcg {

/// Where training stands.
struct Position {
  std::int64_t phase = 0;  ///< phases finished or under way
  std::int64_t epoch_in_phase = 0;
  std::int64_t batch_in_epoch = 0;  ///< 0 at an epoch's start; > 0 for a checkpoint within an epoch
  double loss_sum = 0;              ///< of the epoch under way
  std::int64_t correct = 0;
  std::int64_t samples = 0;
};

/// What a method remembers beyond the record and the state.
struct MethodMemory {
  std::optional<TrainingState> kept;                 ///< a state to go back to
  std::vector<std::vector<float>> gradient_average;  ///< dense, per layer; empty if none is kept
  bool operator==(const MethodMemory&) const = default;
};

/// Everything needed to go on: the truth of a run; the run file is rebuilt from it.
struct Checkpoint {
  RunRecord record;
  TrainingState state;
  Position position;
  std::string method_state;  ///< JSON text of the phase under way
  MethodMemory memory{};
};

/// Writes folder/checkpoint.gcg atomically with magic, version, size and SHA-256; the one before is
/// kept as folder/checkpoint.previous.gcg.
void write_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint);

/// The newest checkpoint that is whole; nothing if there is none at all. A damaged newest one is
/// reported in `note` (file and reason) and the previous one is used; both damaged: an Error. A
/// checkpoint of another version is an Error, not damage.
std::optional<Checkpoint> read_checkpoint(const std::filesystem::path& folder, std::string& note);

/// Keeps the checkpoint at the end of a stage's training, before the decision that follows it, as
/// folder/stages/stage_KKK.gcg: the container of a checkpoint with its arrays compressed. Atomic;
/// one that is there already is replaced. The record may lack its masks, which the run file holds
/// too.
void write_stage(const std::filesystem::path& folder, std::int64_t stage,
                 const Checkpoint& checkpoint);

/// Where that is.
std::filesystem::path stage_path(const std::filesystem::path& folder, std::int64_t stage);

/// Reads it back. Missing (the stages that are there are named), damaged or the end of another
/// stage: an Error. Whose run it is, check_belongs tells (record/belongs.h).
Checkpoint read_stage(const std::filesystem::path& folder, std::int64_t stage);

}  // namespace gcg
