#pragma once

#include <cstdint>
#include <optional>

#include "graph/parameters.h"
#include "topology/mask.h"

namespace gcg {

/// What AdamW keeps beside the momentum.
struct SecondMoments {
  Parameters squares;        ///< averages of squared gradients; running statistics empty
  std::int64_t updates = 0;  ///< made since the slots were empty
  bool operator==(const SecondMoments&) const = default;
};

/// Everything training changes: what an executor reads and writes and a checkpoint holds. At absent
/// positions weights, momentum and squares are zero bits (+0), always.
struct TrainingState {
  Parameters values;
  Parameters momentum;  ///< running statistics empty
  Mask mask;
  std::optional<SecondMoments> second{};  ///< from the first update of AdamW on
  bool operator==(const TrainingState&) const = default;
};

/// Fresh values under a mask: initial_parameters with absent weights zeroed, empty momentum.
TrainingState initial_state(const Network& network, const Mask& mask, std::uint64_t seed);

/// Sets weights and slots at absent positions to +0.
void clear_absent(TrainingState& state);

/// Empties the optimiser's slots, all of them or those of one connection.
void clear_slots(const Network& network, TrainingState& state);
void clear_slots(TrainingState& state, std::size_t layer, std::size_t connection);

/// Throws an Error naming layer and position if a bit is set at an absent position.
void check_mask_invariant(const Network& network, const TrainingState& state);

}  // namespace gcg
