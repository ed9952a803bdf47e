#include "backend/state.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace gcg {

TrainingState initial_state(const Network& network, const Mask& mask, std::uint64_t seed) {
  check_sizes(network, mask);
  TrainingState state{initial_parameters(network, seed), mask};
  clear_absent(state);
  return state;
}

void check_slots(const Optimiser& optimiser, const std::vector<std::string>& names) {
  if (!names.empty() && !std::ranges::equal(names, optimiser.slots, {}, {}, &OptimiserSlot::name)) {
    throw Error(
        optimiser.name,
        fmt::format("the state has the slots of another optimiser: {}", fmt::join(names, ", ")),
        "continue with the optimiser that made it, or empty its slots");
  }
}

void clear_absent(TrainingState& state) {
  const auto clear = [&](Parameters& parameters, std::string_view what) {
    if (parameters.weights.size() != state.mask.layers.size()) {
      throw Error("training state",
                  fmt::format("{} and mask differ in their number of layers", what));
    }
    for (std::size_t l = 0; l < state.mask.layers.size(); ++l) {
      const LayerMask& mask = state.mask.layers[l];
      std::vector<float>& values = parameters.weights[l];
      if (std::ssize(values) != mask.size()) {
        throw Error("training state", fmt::format("layer {} has {} {} and {} mask bits", l,
                                                  values.size(), what, mask.size()));
      }
      for (std::int64_t i = 0; i < mask.size(); ++i) {
        if (!mask.test(i)) {
          values[static_cast<std::size_t>(i)] = 0.0F;
        }
      }
    }
  };
  clear(state.values, "weights");
  for (Slot& slot : state.slots) {
    clear(slot.values, slot.name);
  }
}

void clear_slots(TrainingState& state) {
  state.slots.clear();
  state.updates = 0;
}

void clear_slots(TrainingState& state, std::size_t layer, std::size_t connection) {
  for (Slot& slot : state.slots) {
    slot.values.weights[layer][connection] = 0.0F;
  }
}

void check_state(const Network& network, const TrainingState& state) {
  check_mask_invariant(network, state);
  for (const Node& node : network.nodes) {
    if (node.norm < 0) {
      continue;
    }
    const auto k = static_cast<std::size_t>(node.norm);
    const bool wanted = node.operation == Operation::batch_norm;
    bool right = state.values.norms[k].mean.empty() != wanted;
    for (const Slot& slot : state.slots) {
      right = right && slot.values.norms[k].mean.empty();
    }
    if (!right) {
      throw Error(fmt::format("{}: {}", network.name, node.name),
                  "running statistics belong to the values of a batch normalisation, and to them "
                  "alone");
    }
  }
  if (state.updates < 0) {
    throw Error(network.name, fmt::format("{} updates", state.updates));
  }
}

void check_mask_invariant(const Network& network, const TrainingState& state) {
  check_sizes(network, state.mask);
  const auto check = [&](const Parameters& parameters, std::string_view what) {
    check_sizes(network, parameters);
    for (std::size_t l = 0; l < state.mask.layers.size(); ++l) {
      for (std::int64_t i = 0; i < state.mask.layers[l].size(); ++i) {
        std::uint32_t bits = 0;
        std::memcpy(&bits, &parameters.weights[l][static_cast<std::size_t>(i)], sizeof(bits));
        if (bits != 0 && !state.mask.layers[l].test(i)) {
          throw Error(
              fmt::format("{}: {}", network.name, network.layers[l].name),
              fmt::format("the {} of absent connection {} has the bits {:#010x}", what, i, bits));
        }
      }
    }
  };
  check(state.values, "weight");
  for (const Slot& slot : state.slots) {
    check(slot.values, slot.name);
  }
}

}  // namespace gcg
