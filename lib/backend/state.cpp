#include "backend/state.h"

#include <fmt/format.h>

#include <cstring>

#include "base/error.h"

namespace gcg {

TrainingState initial_state(const Network& network, const Mask& mask, std::uint64_t seed) {
  check_sizes(network, mask);
  TrainingState state{initial_parameters(network, seed), zero_slots(network), mask};
  clear_absent(state);
  return state;
}

void clear_absent(TrainingState& state) {
  if (state.values.weights.size() != state.mask.layers.size() ||
      state.momentum.weights.size() != state.mask.layers.size()) {
    throw Error("training state", "weights, momentum and mask differ in their number of layers");
  }
  if (state.second && state.second->squares.weights.size() != state.mask.layers.size()) {
    throw Error("training state", "squares and mask differ in their number of layers");
  }
  for (std::size_t l = 0; l < state.mask.layers.size(); ++l) {
    const LayerMask& mask = state.mask.layers[l];
    if (std::ssize(state.values.weights[l]) != mask.size() ||
        std::ssize(state.momentum.weights[l]) != mask.size() ||
        (state.second && std::ssize(state.second->squares.weights[l]) != mask.size())) {
      throw Error("training state",
                  fmt::format("layer {} has {} weights, {} slots and {} mask bits", l,
                              state.values.weights[l].size(), state.momentum.weights[l].size(),
                              mask.size()));
    }
    for (std::int64_t i = 0; i < mask.size(); ++i) {
      if (!mask.test(i)) {
        state.values.weights[l][static_cast<std::size_t>(i)] = 0.0F;
        clear_slots(state, l, static_cast<std::size_t>(i));
      }
    }
  }
}

void clear_slots(const Network& network, TrainingState& state) {
  state.momentum = zero_slots(network);
  state.second.reset();
}

void clear_slots(TrainingState& state, std::size_t layer, std::size_t connection) {
  state.momentum.weights[layer][connection] = 0.0F;
  if (state.second) {
    state.second->squares.weights[layer][connection] = 0.0F;
  }
}

void check_mask_invariant(const Network& network, const TrainingState& state) {
  check_sizes(network, state.mask);
  check_sizes(network, state.values);
  check_sizes(network, state.momentum);
  if (state.second) {
    check_sizes(network, state.second->squares);
  }
  const auto check = [&](std::size_t l, const std::vector<float>& values, std::string_view what) {
    for (std::int64_t i = 0; i < state.mask.layers[l].size(); ++i) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, &values[static_cast<std::size_t>(i)], sizeof(bits));
      if (bits != 0 && !state.mask.layers[l].test(i)) {
        throw Error(
            fmt::format("{}: {}", network.name, network.layers[l].name),
            fmt::format("the {} of absent connection {} has the bits {:#010x}", what, i, bits));
      }
    }
  };
  for (std::size_t l = 0; l < state.mask.layers.size(); ++l) {
    check(l, state.values.weights[l], "weight");
    check(l, state.momentum.weights[l], "momentum");
    if (state.second) {
      check(l, state.second->squares.weights[l], "square");
    }
  }
}

}  // namespace gcg
