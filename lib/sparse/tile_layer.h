#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sparse/index.h"
#include "sparse/layout.h"
#include "sparse/tiles.h"

namespace gcg::sparse {

/// The products that make 16 rows of a result: for each of them where the channels lie that it
/// multiplies, from the position at hand on.
struct TileRows {
  std::int64_t depth = 1;  ///< pairs of channels that a product takes
  std::vector<std::int32_t> offset;
  std::int64_t first = 0;  ///< the first of their tiles of weights, [rows / 16][offsets]
};

/// Weights of a convolution in tiles, by output and by phase and input (see LayerIndex), and where
/// each present weight lies in them, counted in numbers of bf16.
struct TileLayer {
  TileRows outputs;
  std::vector<TileRows> inputs;  ///< per phase
  Tensor output_tiles;
  Tensor input_tiles;
  std::vector<std::int32_t> output_place;
  std::vector<std::int32_t> input_place;
  std::vector<std::int32_t> sum_place;   ///< in the sums of a weight gradient
  std::vector<std::int32_t> sum_offset;  ///< of its right tiles, per two positions of a row
};

/// Whether the numbers above can count the tiles of a layer.
bool fits_tiles(const LayerPlace& place);

TileLayer make_tiles(const LayerPlace& place, const LayerMask& mask, bool with_input_gradient);
/// Takes over the values of the present weights, rounded to the nearest, ties to even.
void fill_tiles(std::span<const float> values, TileLayer& tiles);

/// Sums of a weight gradient: [outputs / 16][inputs / 16][taps] tiles, present or not.
std::int64_t tile_sum_count(const Layer& layer);
/// Those of the present weights; those of all connections, in their order.
void present_sums(const TileLayer& tiles, std::span<const float> sums, std::span<float> to);
void all_sums(const Layer& layer, std::span<const float> sums, std::span<float> to);

}  // namespace gcg::sparse
