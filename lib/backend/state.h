#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/optimiser.h"
#include "graph/parameters.h"
#include "topology/mask.h"

namespace gcg {

/// What an optimiser keeps for every parameter, under the name in its row.
struct Slot {
  std::string name;
  Parameters values;  ///< its running statistics are empty
  bool operator==(const Slot&) const = default;
};

/// Everything that training changes: what executors read and write and checkpoints hold. At absent
/// positions weights and slots are always zero bits (+0).
struct TrainingState {
  Parameters values;
  Mask mask;
  std::vector<Slot> slots{};  ///< the optimiser's, from its first update on; else empty
  std::int64_t updates = 0;   ///< updates since the slots were empty, if counted
  bool operator==(const TrainingState&) const = default;
};

/// Calls f(kind, array) for every trained array, which excludes running statistics: weights and
/// biases layer by layer, scales and shifts, class token and position table.
template <typename P, typename F>
void for_each_array(P& parameters, F f) {
  for (std::size_t l = 0; l < parameters.weights.size(); ++l) {
    f(ParameterKind::weight, parameters.weights[l]);
    f(ParameterKind::bias, parameters.biases[l]);
  }
  for (auto& norm : parameters.norms) {
    f(ParameterKind::norm, norm.scale);
    f(ParameterKind::norm, norm.shift);
  }
  f(ParameterKind::token, parameters.tokens.class_token);
  f(ParameterKind::token, parameters.tokens.positions);
}

/// Fresh values under a mask: initial_parameters with absent weights set to zero, and no slots.
TrainingState initial_state(const Network& network, const Mask& mask, std::uint64_t seed);

/// Throws an Error unless the optimiser can continue from slots of these names: they are its own,
/// or there are none.
void check_slots(const Optimiser& optimiser, const std::vector<std::string>& names);

/// Sets weights and slots at absent positions to +0.
void clear_absent(TrainingState& state);

/// Sets slots to zero: removes all of them, or clears those of one connection.
void clear_slots(TrainingState& state);
void clear_slots(TrainingState& state, std::size_t layer, std::size_t connection);

/// Checks a state before an executor takes it. Errors name layer and position: an array of another
/// size than the network's, running statistics that are missing or that are in a slot, a bit that
/// is set at an absent position.
void check_state(const Network& network, const TrainingState& state);

/// The part of check_state about absent positions, with the sizes that it needs.
void check_mask_invariant(const Network& network, const TrainingState& state);

}  // namespace gcg
