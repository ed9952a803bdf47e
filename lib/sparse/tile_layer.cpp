#include "sparse/tile_layer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/index.h"

namespace gcg::sparse {

namespace {

constexpr std::int64_t kHalves = 2 * kTileFloats;  ///< numbers of bf16 in a tile

std::int64_t pairs(std::int64_t channels) { return (channels + 1) / 2; }

/// As many pairs as a tile takes without one that reaches beyond the last.
std::int64_t depth_of(std::int64_t channels) {
  std::int64_t depth = kTileSide;
  while (pairs(channels) % depth != 0) {
    --depth;
  }
  return depth;
}

/// Where a weight lies in tiles of rows, if it is tap `number` of `taps`.
std::int32_t place_in(const TileRows& rows, std::int64_t row, std::int64_t channel,
                      std::int64_t number, std::int64_t taps) {
  const std::int64_t tile = rows.first + row / kTileSide * std::ssize(rows.offset) +
                            channel / (2 * rows.depth) * taps + number;
  return static_cast<std::int32_t>(tile * kHalves + row % kTileSide * 2 * kTileSide +
                                   channel % (2 * rows.depth));
}

std::int64_t sum_at(const Layer& layer, std::int64_t connection) {
  const std::int64_t tap = connection % layer.taps();
  const std::int64_t input = connection / layer.taps() % layer.inputs;
  const std::int64_t output = connection / layer.fan_in();
  const std::int64_t tile =
      (output / kTileSide * tile_count(layer.inputs) + input / kTileSide) * layer.taps() + tap;
  return tile * kTileFloats + output % kTileSide * kTileSide + input % kTileSide;
}

std::uint16_t rounded(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>(
      (std::isnan(value) ? bits | 0x400000U : bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

void set_half(Tensor& tiles, std::int32_t place, std::uint16_t value) {
  constexpr std::int64_t kOfALine = 2 * kLanes;
  float& word = tiles[at(place / kOfALine)].lanes[at(place % kOfALine / 2)];
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(word);
  word = std::bit_cast<float>(place % 2 == 0 ? (bits & 0xffff0000U) | value
                                             : (bits & 0xffffU) | std::uint32_t{value} << 16);
}

}  // namespace

bool fits_tiles(const LayerPlace& place) {
  // A tile holds at least the weights of 16 rows for one pair of channels and one tap.
  const Layer& layer = place.layer;
  const std::int64_t pairs_of_rows = (layer.outputs + kTileSide) * (layer.inputs + kTileSide) / 2;
  return pairs_of_rows * layer.taps() <=
         std::numeric_limits<std::int32_t>::max() * kTileSide / kHalves;
}

TileLayer make_tiles(const LayerPlace& place, const LayerMask& mask, bool with_input_gradient) {
  const Layer& layer = place.layer;
  const std::int64_t stride = place.window.stride;
  TileLayer tiles;
  tiles.outputs.depth = depth_of(layer.inputs);
  for (std::int64_t k = 0; k < pairs(layer.inputs); k += tiles.outputs.depth) {
    for (std::int64_t tap = 0; tap < layer.taps(); ++tap) {
      tiles.outputs.offset.push_back(static_cast<std::int32_t>(
          kLanes * (k * place.input.plane() + tap / layer.kernel_width * place.input.pitch() +
                    tap % layer.kernel_width)));
    }
  }
  const auto tiles_of = [](const TileRows& rows, std::int64_t count) {
    return tile_count(count) * std::ssize(rows.offset);
  };
  for (std::int64_t x = 0; x < place.output.shape.width; x += 2) {
    tiles.sum_offset.push_back(static_cast<std::int32_t>(x * stride * kTileFloats));
  }
  tiles.output_tiles.resize(at(tiles_of(tiles.outputs, layer.outputs) * kTileSide));

  const std::vector<Meeting> met = meetings(place);
  std::vector<std::int64_t> taps(at(with_input_gradient ? stride * stride : 0), 0);
  std::vector<std::int64_t> number;  // of a tap among those of its phase
  tiles.inputs.resize(taps.size());
  if (with_input_gradient) {
    for (const Meeting& meeting : met) {
      number.push_back(taps[at(meeting.phase)]++);
    }
    const std::int64_t depth = depth_of(layer.outputs);
    std::int64_t first = 0;
    for (std::int64_t phase = 0; phase < stride * stride; ++phase) {
      TileRows& rows = tiles.inputs[at(phase)];
      rows.depth = depth;
      rows.first = first;
      for (std::int64_t k = 0; k < pairs(layer.outputs); k += depth) {
        for (const Meeting& meeting : met) {
          if (meeting.phase == phase) {
            // The channels of a pair share a plane: that of half as many.
            rows.offset.push_back(gradient_offset(place, meeting, k));
          }
        }
      }
      first += tiles_of(rows, layer.inputs);
    }
    tiles.input_tiles.resize(at(first * kTileSide));
  }
  mask.for_each_present([&](std::int64_t i) {
    const std::int64_t tap = i % layer.taps();
    const std::int64_t input = i / layer.taps() % layer.inputs;
    const std::int64_t output = i / layer.fan_in();
    tiles.output_place.push_back(place_in(tiles.outputs, output, input, tap, layer.taps()));
    tiles.sum_place.push_back(static_cast<std::int32_t>(sum_at(layer, i)));
    if (with_input_gradient) {
      const std::size_t phase = at(met[at(tap)].phase);
      tiles.input_place.push_back(
          place_in(tiles.inputs[phase], input, output, number[at(tap)], taps[phase]));
    }
  });
  return tiles;
}

void fill_tiles(std::span<const float> values, TileLayer& tiles) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t value = rounded(values[i]);
    set_half(tiles.output_tiles, tiles.output_place[i], value);
    if (!tiles.input_place.empty()) {
      set_half(tiles.input_tiles, tiles.input_place[i], value);
    }
  }
}

std::int64_t tile_sum_count(const Layer& layer) {
  return tile_count(layer.outputs) * tile_count(layer.inputs) * layer.taps() * kTileFloats;
}

void present_sums(const TileLayer& tiles, std::span<const float> sums, std::span<float> to) {
  std::ranges::transform(tiles.sum_place, to.begin(),
                         [&](std::int32_t place) { return sums[at(place)]; });
}

void all_sums(const Layer& layer, std::span<const float> sums, std::span<float> to) {
  for (std::int64_t i = 0; i < std::ssize(to); ++i) {
    to[at(i)] = sums[at(sum_at(layer, i))];
  }
}

}  // namespace gcg::sparse
