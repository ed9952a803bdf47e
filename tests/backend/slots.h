#pragma once

#include <string>
#include <vector>

#include "backend/optimiser.h"
#include "backend/state.h"

namespace gcg {

/// The slots of an optimiser before its first update: all zero.
inline std::vector<Slot> empty_slots(const Network& network, const Optimiser& optimiser) {
  std::vector<Slot> slots;
  for (const OptimiserSlot& slot : optimiser.slots) {
    slots.push_back({std::string(slot.name), zero_slots(network)});
  }
  return slots;
}

}  // namespace gcg
