#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph/network.h"
#include "sparse/large_pages.h"

namespace gcg::sparse {

/// Samples that lie side by side in memory: one step of every kernel, whatever the vector width.
inline constexpr std::int64_t kLanes = 16;

/// One value of kLanes samples: a cache line.
struct alignas(64) Position {
  std::array<float, kLanes> lanes{};
};

/// A tensor of a batch: one block of positions after the other.
using Tensor = std::vector<Position, LargePages<Position>>;

/// Where the positions of a block of kLanes samples lie: [channels][height + halo][width + halo],
/// and once more the halo at the end. The zeros behind a row are those before the next one, and the
/// rows of zeros behind a channel those before the next. Nobody ever writes the halo. The lanes
/// behind the last sample of a batch are zero as well. Channels that would fall on the same sets of
/// a first cache are moved apart by a few more positions of zeros.
struct Layout {
  Shape shape;
  std::int64_t halo = 0;

  [[nodiscard]] std::int64_t pitch() const { return shape.width + halo; }
  [[nodiscard]] std::int64_t plane() const {
    constexpr std::int64_t kSets = 64;
    constexpr std::int64_t kApart = 10;  // eight columns under a window of three
    const std::int64_t positions = (shape.height + halo) * pitch();
    const bool collide = positions >= kSets - 1 && (positions + 1) % kSets <= 2;
    return collide ? positions + kApart : positions;
  }
  [[nodiscard]] std::int64_t block() const {
    return shape.channels * plane() + halo * pitch() + halo;
  }
  /// The same in bf16: of every two channels one plane (see Kernels).
  [[nodiscard]] std::int64_t pairs() const { return (shape.channels + 1) / 2; }
  [[nodiscard]] std::int64_t pair_block() const {
    return pairs() * plane() + halo * pitch() + halo;
  }
  /// -halo <= y < height + halo, likewise x.
  [[nodiscard]] std::int64_t at(std::int64_t channel, std::int64_t y, std::int64_t x) const {
    return channel * plane() + (y + halo) * pitch() + x + halo;
  }
  bool operator==(const Layout&) const = default;
};

/// Blocks of a batch.
inline std::int64_t block_count(std::int64_t samples) { return (samples + kLanes - 1) / kLanes; }

}  // namespace gcg::sparse
