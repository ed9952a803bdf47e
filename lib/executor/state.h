#pragma once

#include "graph/parameters.h"
#include "topology/mask.h"

namespace gcg {

/// Everything training changes: what an executor reads and writes and a checkpoint holds. At absent
/// positions weights and momentum are zero bits (+0), always.
struct TrainingState {
  Parameters values;
  Parameters momentum;  ///< running statistics empty
  Mask mask;
  bool operator==(const TrainingState&) const = default;
};

/// Fresh values under a mask: initial_parameters with absent weights zeroed, empty momentum.
TrainingState initial_state(const Network& network, const Mask& mask, std::uint64_t seed);

/// Sets weights and momentum at absent positions to +0.
void clear_absent(TrainingState& state);

/// Throws an Error naming layer and position if a bit is set at an absent position.
void check_mask_invariant(const Network& network, const TrainingState& state);

}  // namespace gcg
