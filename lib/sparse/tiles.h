#pragma once

#include <cstdint>
#include <span>

#include "sparse/kernels.h"

namespace gcg::sparse {

// Convolutions as products of tiles, 16 rows of 16 words: a word is a pair in bf16, or, of a sum,
// a number in single precision. A tensor of the batch in bf16 is such tiles as it lies, samples
// being the columns and pairs of channels the rows. Weights are dense in their tiles, absent ones
// being zero. Pointers are to floats, offsets and steps count floats, as elsewhere.

inline constexpr std::int64_t kTileSide = 16;
inline constexpr std::int64_t kTileFloats = kTileSide * kTileSide;

/// Tiles that `count` rows fill.
inline constexpr std::int64_t tile_count(std::int64_t count) {
  return (count + kTileSide - 1) / kTileSide;
}

/// For every position of the grid, and tile after tile of the rows of `to`: the sum over the
/// offsets of a tile of weights times the `depth` pairs of channels that lie there.
struct TileGather {
  std::int64_t rows = 0;  ///< in tiles
  std::int64_t depth = 0;
  std::span<const std::int32_t> offset;
  const float* weights = nullptr;  ///< [rows][offsets] tiles
  Grid grid;
  const float* from = nullptr;
  std::int64_t from_plane = 0;  ///< between pairs of channels
  float* to = nullptr;
  std::int64_t to_plane = 0;  ///< between rows
};

/// The sums of a row of outputs over pairs of its positions and all samples:
/// sums[o][i][y][x] += the sum over the offsets of left[o][k] times right[y][i][offset[k] + x].
/// The rows `y` of `right` are a ring that begins at `first`.
struct TileCorrelate {
  std::span<const std::int32_t> offset;
  std::int64_t left_tiles = 0;
  std::int64_t right_tiles = 0;
  std::int64_t kernel_height = 0;
  std::int64_t kernel_width = 0;
  const float* left = nullptr;  ///< [left tiles][offsets] tiles
  const float* right = nullptr;
  std::int64_t right_row = 0;
  std::int64_t right_tile = 0;
  std::int64_t first = 0;
  float* sums = nullptr;  ///< [left tiles][right tiles][kernel height][kernel width] tiles
};

/// What multiplies tiles. Both sets have the arithmetic of Kernels::multiply_tiles.
struct TileKernels {
  const char* name = nullptr;
  void (*gather)(const Kernels& kernels, const TileGather& of) = nullptr;
  void (*correlate)(const Kernels& kernels, const TileCorrelate& of) = nullptr;
};

/// By Kernels::multiply_tiles, on any processor: slow, for tests and to continue a run.
const TileKernels& plain_tiles();
/// By the processor's instructions for tiles; null where amx_facts() (base/host.h) says that this
/// process cannot have them.
const TileKernels* amx_tiles();

}  // namespace gcg::sparse
