#include "sparse/tile_convolve.h"

#include <algorithm>

#include "base/index.h"
#include "sparse/grids.h"

namespace gcg::sparse {

namespace {

/// What the weight gradient of a layer makes of a row of its output: a left tile, 16 outputs by
/// samples, for two positions of the gradient; a right tile, samples by 16 inputs, for the two
/// positions of the input under a tap. Those of neighbouring taps overlap.
struct CorrelateRoom {
  std::int64_t left = 0;         ///< tiles of 16 outputs
  std::int64_t right = 0;        ///< tiles of 16 inputs
  std::int64_t left_tiles = 0;   ///< of each, in a row
  std::int64_t right_tiles = 0;  ///< of each, in a row
  std::int64_t rows = 0;         ///< of the input

  explicit CorrelateRoom(const LayerPlace& place)
      : left(tile_count(place.layer.outputs)),
        right(tile_count(place.layer.inputs)),
        left_tiles((place.output.shape.width + 1) / 2),
        right_tiles(2 * place.window.stride * (left_tiles - 1) + place.layer.kernel_width),
        rows(place.layer.kernel_height) {}

  [[nodiscard]] std::int64_t right_row() const { return right * right_tiles; }
  /// Right tiles, left tiles, and one in between.
  [[nodiscard]] std::int64_t tiles() const { return rows * right_row() + left * left_tiles + 1; }
};

/// Sixteen channels at two positions of a row, the second of which may be behind what is read: one
/// row of a tile for each.
void pair_channels(const Kernels& kernels, const View& from, std::int64_t block,
                   std::int64_t channel, std::int64_t y, std::int64_t x, std::int64_t second,
                   float* tile) {
  static constexpr Position kNothing{};
  const std::int64_t end = std::min(channel + kTileSide, from.layout.shape.channels);
  const std::int64_t step = (second - x) * kLanes;
  for (; channel < end; channel += 2, tile += 2 * kTileSide) {
    const float* const first = from.at(block, channel, y, x);
    kernels.pair_positions(first, step > 0 ? first + step : kNothing.lanes.data(), tile,
                           tile + kTileSide);
  }
}

}  // namespace

void convolve_tiles(const Run& run, const TileKernels& tiles, std::int64_t block, Stripe stripe,
                    const SparseLayer& layer, const View& input, const View& output) {
  const LayerPlace& place = layer.place;
  const TileRows& rows = layer.tiles->outputs;
  const std::int64_t corner = -place.window.padding;
  tiles.gather(*run.kernels,
               {tile_count(place.layer.outputs), rows.depth, rows.offset,
                layer.tiles->output_tiles.data()->lanes.data(), output_grid(place, stripe),
                input.at(block, 0, place.window.stride * stripe.top + corner, corner),
                input.layout.plane() * kLanes, output.at(block, 0, stripe.top),
                output.layout.plane() * kLanes});
}

void input_gradient_tiles(const Run& run, const TileKernels& tiles, std::int64_t block,
                          Stripe stripe, const SparseLayer& layer, const View& gradient,
                          const View& to) {
  const LayerPlace& place = layer.place;
  for (std::int64_t p = 0; p < std::ssize(layer.tiles->inputs); ++p) {
    const PhaseGrid phase = phase_grid(place, stripe, p);
    if (phase.empty()) {
      continue;
    }
    const TileRows& rows = layer.tiles->inputs[at(p)];
    tiles.gather(*run.kernels,
                 {tile_count(place.layer.inputs), rows.depth, rows.offset,
                  layer.tiles->input_tiles.data()->lanes.data() + rows.first * kTileFloats,
                  phase.grid, gradient.at(block, 0, phase.first), gradient.layout.plane() * kLanes,
                  to.at(block, 0, phase.row, phase.column), to.layout.plane() * kLanes});
  }
}

void weight_gradient_tiles(const Run& run, const TileKernels& tiles, std::int64_t block,
                           Stripe stripe, const SparseLayer& layer, const View& input,
                           const View& gradient, std::span<Position> room, std::span<float> sums) {
  const LayerPlace& place = layer.place;
  const Kernels& kernels = *run.kernels;
  const CorrelateRoom sizes(place);
  const std::int64_t stride = place.window.stride;
  const std::int64_t padding = place.window.padding;
  const std::int64_t width = place.output.shape.width;
  float* const right = room.data()->lanes.data();
  float* const left = right + sizes.rows * sizes.right_row() * kTileFloats;
  float* const between = left + sizes.left * sizes.left_tiles * kTileFloats;
  // The last position of the input that any tap reads.
  const std::int64_t last = stride * (width - 1) + place.layer.kernel_width - 1;
  const auto ring = [&](std::int64_t row) { return (row + padding) % sizes.rows; };
  const auto make_right = [&](std::int64_t row) {
    float* tile = right + ring(row) * sizes.right_row() * kTileFloats;
    for (std::int64_t i = 0; i < sizes.right; ++i) {
      for (std::int64_t x = 0; x < sizes.right_tiles; ++x, tile += kTileFloats) {
        if (x % (2 * stride) < place.layer.kernel_width) {
          const std::int64_t second = x + stride <= last ? x + stride : x;
          pair_channels(kernels, input, block, i * kTileSide, row, x - padding, second - padding,
                        between);
          kernels.transpose_tile(between, tile);
        }
      }
    }
  };
  std::int64_t made = stride * stripe.top - padding;
  for (std::int64_t y = stripe.top; y < stripe.bottom; ++y) {
    const std::int64_t top = stride * y - padding;
    for (made = std::max(made, top); made < top + sizes.rows; ++made) {
      make_right(made);
    }
    float* tile = left;
    for (std::int64_t o = 0; o < sizes.left; ++o) {
      for (std::int64_t x = 0; x < width; x += 2, tile += kTileFloats) {
        pair_channels(kernels, gradient, block, o * kTileSide, y, x, x + 1 < width ? x + 1 : x,
                      tile);
      }
    }
    tiles.correlate(kernels,
                    {layer.tiles->sum_offset, sizes.left, sizes.right, sizes.rows,
                     place.layer.kernel_width, left, right, sizes.right_row() * kTileFloats,
                     sizes.right_tiles * kTileFloats, ring(top), sums.data()});
  }
}

std::int64_t tile_room(const LayerPlace& place) { return CorrelateRoom(place).tiles() * kTileSide; }

}  // namespace gcg::sparse
