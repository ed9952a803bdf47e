#pragma once

#include <cstddef>
#include <cstdint>

namespace gcg {

/// Converts a signed count or position, at least 0, to an index of a container.
inline std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace gcg
