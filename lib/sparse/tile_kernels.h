#pragma once

#include <algorithm>
#include <cstdint>

#include "sparse/tiles.h"

namespace gcg::sparse {

// The loops over tiles, once for all that multiplies them. `Tiles` has eight of them: 0 to 3 hold
// sums, 4 the left factor, 5 to 7 the right one, `depth` rows each. It is configured for a depth
// when it is made, and has
//   zero<T>()             a tile of zeros
//   load<T>(from, row)    from rows that are `row` floats apart
//   multiply_add<C, A, B>()
//   store<T>(to, row)

/// COUNT sums side by side, which share their left factors.
template <int COUNT, typename Tiles>
void add_products(Tiles& tiles, std::span<const std::int32_t> offset, const float* left,
                  const float* right, std::int64_t row, std::int64_t step) {
  for (const std::int32_t at : offset) {
    const float* const b = right + at;
    tiles.template load<4>(left, kTileSide);
    left += kTileFloats;
    tiles.template load<5>(b, row);
    tiles.template multiply_add<0, 4, 5>();
    if constexpr (COUNT > 1) {
      tiles.template load<6>(b + step, row);
      tiles.template multiply_add<1, 4, 6>();
    }
    if constexpr (COUNT > 2) {
      tiles.template load<7>(b + 2 * step, row);
      tiles.template multiply_add<2, 4, 7>();
    }
    if constexpr (COUNT > 3) {
      tiles.template load<5>(b + 3 * step, row);
      tiles.template multiply_add<3, 4, 5>();
    }
  }
}

template <int COUNT, typename Tiles>
void zero_sums(Tiles& tiles) {
  tiles.template zero<0>();
  if constexpr (COUNT > 1) {
    tiles.template zero<1>();
  }
  if constexpr (COUNT > 2) {
    tiles.template zero<2>();
  }
  if constexpr (COUNT > 3) {
    tiles.template zero<3>();
  }
}

template <int COUNT, typename Tiles>
void load_sums(Tiles& tiles, const float* from) {
  tiles.template load<0>(from, kTileSide);
  if constexpr (COUNT > 1) {
    tiles.template load<1>(from + kTileFloats, kTileSide);
  }
  if constexpr (COUNT > 2) {
    tiles.template load<2>(from + 2 * kTileFloats, kTileSide);
  }
  if constexpr (COUNT > 3) {
    tiles.template load<3>(from + 3 * kTileFloats, kTileSide);
  }
}

template <int COUNT, typename Tiles>
void store_sums(Tiles& tiles, float* to, std::int64_t row, std::int64_t step) {
  tiles.template store<0>(to, row);
  if constexpr (COUNT > 1) {
    tiles.template store<1>(to + step, row);
  }
  if constexpr (COUNT > 2) {
    tiles.template store<2>(to + 2 * step, row);
  }
  if constexpr (COUNT > 3) {
    tiles.template store<3>(to + 3 * step, row);
  }
}

/// Calls f.operator()<COUNT>(first) for four sums at a time, and for the rest.
template <typename F>
void for_each_four(std::int64_t count, F f) {
  std::int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    f.template operator()<4>(i);
  }
  switch (count - i) {
    case 3:
      f.template operator()<3>(i);
      break;
    case 2:
      f.template operator()<2>(i);
      break;
    case 1:
      f.template operator()<1>(i);
      break;
    default:
      break;
  }
}

template <typename Tiles>
void gather_tiles(Tiles& tiles, const TileGather& of) {
  const Grid& grid = of.grid;
  for (std::int64_t y = 0; y < grid.height; ++y) {
    const float* weights = of.weights;
    for (std::int64_t r = 0; r < of.rows; ++r, weights += std::ssize(of.offset) * kTileFloats) {
      const float* const from = of.from + y * grid.input_row;
      float* const to = of.to + r * kTileSide * of.to_plane + y * grid.output_row;
      for_each_four(grid.width, [&]<int COUNT>(std::int64_t x) {
        zero_sums<COUNT>(tiles);
        add_products<COUNT>(tiles, of.offset, weights, from + x * grid.input_column, of.from_plane,
                            grid.input_column);
        store_sums<COUNT>(tiles, to + x * grid.output_column, of.to_plane, grid.output_column);
      });
    }
  }
}

template <typename Tiles>
void correlate_tiles(Tiles& tiles, const TileCorrelate& of) {
  float* sums = of.sums;
  for (std::int64_t o = 0; o < of.left_tiles; ++o) {
    const float* const left = of.left + o * std::ssize(of.offset) * kTileFloats;
    for (std::int64_t i = 0; i < of.right_tiles; ++i) {
      for (std::int64_t y = 0; y < of.kernel_height; ++y) {
        const float* const right =
            of.right + (of.first + y) % of.kernel_height * of.right_row + i * of.right_tile;
        for_each_four(of.kernel_width, [&]<int COUNT>(std::int64_t x) {
          float* const to = sums + x * kTileFloats;
          load_sums<COUNT>(tiles, to);
          add_products<COUNT>(tiles, of.offset, left, right + x * kTileFloats, kTileSide,
                              kTileFloats);
          store_sums<COUNT>(tiles, to, kTileSide, kTileFloats);
        });
        sums += of.kernel_width * kTileFloats;
      }
    }
  }
}

}  // namespace gcg::sparse
