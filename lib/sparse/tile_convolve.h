#pragma once

#include <cstdint>
#include <span>

#include "sparse/layer.h"
#include "sparse/operations.h"
#include "sparse/tiles.h"

namespace gcg::sparse {

// A convolution of one block by tiles (see SparseLayer::tiles). What is read is in bf16. What
// is made is in single precision, in a stripe's room with planes for tile_count() tiles of
// channels: those behind the last channel are written too.

void convolve_tiles(const Run& run, const TileKernels& tiles, std::int64_t block, Stripe stripe,
                    const SparseLayer& layer, const View& input, const View& output);
void input_gradient_tiles(const Run& run, const TileKernels& tiles, std::int64_t block,
                          Stripe stripe, const SparseLayer& layer, const View& gradient,
                          const View& to);
/// Adds the weight gradient over a stripe of the output's gradient to `sums`, tile_sum_count() of
/// them: two positions of a row at a time, row after row. `room`: tile_room() positions.
void weight_gradient_tiles(const Run& run, const TileKernels& tiles, std::int64_t block,
                           Stripe stripe, const SparseLayer& layer, const View& input,
                           const View& gradient, std::span<Position> room, std::span<float> sums);
std::int64_t tile_room(const LayerPlace& place);

}  // namespace gcg::sparse
