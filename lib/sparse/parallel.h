#pragma once

#include <cstdint>

namespace gcg::sparse {

/// Calls f(part, begin, end) for at most `threads` consecutive parts of [0, count), each in a
/// thread of its own. `f` must not throw, and what it computes for an element must not depend on
/// the part it is in.
template <typename F>
void in_parts(std::int64_t threads, std::int64_t count, F f) {
  const int parts = static_cast<int>(threads < count ? threads : count);
  if (parts <= 1) {
    f(std::int64_t{0}, std::int64_t{0}, count);
    return;
  }
#pragma omp parallel for num_threads(parts) schedule(static, 1)
  for (int part = 0; part < parts; ++part) {
    f(std::int64_t{part}, count * part / parts, count * (part + 1) / parts);
  }
}

}  // namespace gcg::sparse
