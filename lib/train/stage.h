#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "record/run_record.h"
#include "topology/allocation.h"
#include "train/schedule.h"

namespace gcg {

/// A stretch of training under one learning-rate schedule, at whose end the method decides; on
/// request also after some of the updates within. Updates are counted from the schedule's first
/// one, those left out at the start included.
struct Phase {
  Role role = Role::stage;
  std::int64_t stage = 0;  ///< number of the stage that the phase trains
  std::int64_t epochs = 1;
  Schedule schedule{};
  std::int64_t first_update = 0;             ///< updates of the schedule left out at the start
  std::vector<std::int64_t> mask_updates{};  ///< after which Method::update is called, ascending
  /// The update after which the trainer copies the state to memory.kept; 0: before the first one.
  std::optional<std::int64_t> snapshot{};
  double gradient_average = 0;  ///< > 0: the trainer keeps memory.gradient_average, in which the
                                ///< old average has this weight after every update
};

/// How the mask of a stage came about.
struct MaskReport {
  std::int64_t grown = 0;     ///< connections added to reach it, the repaired ones included
  std::int64_t repaired = 0;  ///< as StageRow::repaired
  double growth_overlap =
      std::numeric_limits<double>::quiet_NaN();  ///< as StageRow::growth_overlap
  Allocation allocation{};  ///< of all present connections that it aims at; empty if there is none
  std::string scores{};     ///< as StageRow::scores
};

/// What a method asks for next: the training to come, and where its mask is from.
struct Stage {
  Phase phase;
  MaskReport mask{};
};

}  // namespace gcg
