#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/optimiser.h"
#include "graph/parameters.h"
#include "topology/mask.h"

namespace gcg {

/// What an optimiser keeps of every parameter, under the name its row gives it.
struct Slot {
  std::string name;
  Parameters values;  ///< running statistics empty
  bool operator==(const Slot&) const = default;
};

/// Everything training changes: what an executor reads and writes and a checkpoint holds. At absent
/// positions weights and slots are zero bits (+0), always.
struct TrainingState {
  Parameters values;
  Mask mask;
  std::vector<Slot> slots{};  ///< of the optimiser, from its first update on; empty before
  std::int64_t updates = 0;   ///< made since there were none, of an optimiser that counts them
  bool operator==(const TrainingState&) const = default;
};

/// Calls f(kind, array) for every trained array, running statistics left out: weights and biases
/// layer by layer, scales and shifts, class token and position table.
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

/// Fresh values under a mask: initial_parameters with absent weights zeroed, no slots.
TrainingState initial_state(const Network& network, const Mask& mask, std::uint64_t seed);

/// The slots of an optimiser before its first update: all zero.
std::vector<Slot> empty_slots(const Network& network, const Optimiser& optimiser);

/// Throws an Error unless a state with slots of these names can go on with the optimiser: they are
/// its own, or there are none.
void check_slots(const Optimiser& optimiser, const std::vector<std::string>& names);

/// Sets weights and slots at absent positions to +0.
void clear_absent(TrainingState& state);

/// Empties the optimiser's slots, all of them or those of one connection.
void clear_slots(TrainingState& state);
void clear_slots(TrainingState& state, std::size_t layer, std::size_t connection);

/// What an executor takes: throws an Error naming layer and position if an array has a size that is
/// not the network's, running statistics are missing or in a slot, or a bit is set at an absent
/// position.
void check_state(const Network& network, const TrainingState& state);

/// The part of it about absent positions, with the sizes that it needs.
void check_mask_invariant(const Network& network, const TrainingState& state);

}  // namespace gcg
