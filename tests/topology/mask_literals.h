#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "topology/mask.h"

namespace gcg::testing {

/// A layer's mask with these connections present.
inline LayerMask with(std::int64_t size, std::initializer_list<std::int64_t> present) {
  LayerMask mask(size);
  for (const std::int64_t i : present) {
    mask.set(i);
  }
  return mask;
}

/// The present connections in ascending order.
inline std::vector<std::int64_t> present_of(const LayerMask& mask) {
  std::vector<std::int64_t> result;
  mask.for_each_present([&](std::int64_t i) { result.push_back(i); });
  return result;
}

}  // namespace gcg::testing
