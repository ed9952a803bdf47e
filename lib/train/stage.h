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

/// A period of training under one learning-rate schedule, at the end of which the method decides;
/// on request also after some updates within it. Updates are counted from the schedule's first one,
/// including those skipped at the start.
struct Phase {
  Role role = Role::stage;
  std::int64_t stage = 0;  ///< number of the stage that the phase trains
  std::int64_t epochs = 1;
  Schedule schedule{};
  std::int64_t first_update = 0;             ///< updates of the schedule skipped at the start
  std::vector<std::int64_t> mask_updates{};  ///< when Method::update is called, ascending
  /// The update after which the trainer copies the state to memory.kept; 0: before the first.
  std::optional<std::int64_t> snapshot{};
  double gradient_average = 0;  ///< > 0: the trainer keeps memory.gradient_average, with this
                                ///< weight for the old average at every update
};

/// How the mask of a stage was made.
struct MaskReport {
  std::int64_t grown = 0;     ///< connections added to reach it, including repaired ones
  std::int64_t repaired = 0;  ///< as StageRow::repaired
  double growth_overlap =
      std::numeric_limits<double>::quiet_NaN();  ///< as StageRow::growth_overlap
  Allocation allocation{};  ///< that the present connections follow; empty if there is none
  std::string scores{};     ///< as StageRow::scores
};

/// What a method asks for next: the training and how its mask was made.
struct Stage {
  Phase phase;
  MaskReport mask{};
};

}  // namespace gcg
