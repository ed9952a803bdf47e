#include "sparse/index.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/error.h"

namespace gcg::sparse {

namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// Where tap k of a window meets the positions r, r + stride, ... of the input: output j + shift
/// for input r + stride j.
struct Meeting {
  std::int64_t phase = 0;
  std::int64_t shift = 0;
};

Meeting meeting(std::int64_t tap, const Window& window) {
  const std::int64_t phase =
      ((tap - window.padding) % window.stride + window.stride) % window.stride;
  return {phase, (phase + window.padding - tap) / window.stride};
}

std::int64_t gradient_halo(std::int64_t taps, const Window& window, std::int64_t input,
                           std::int64_t output) {
  std::int64_t halo = 0;
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    const Meeting met = meeting(tap, window);
    if (met.phase < input) {
      const std::int64_t last = (input - 1 - met.phase) / window.stride + met.shift;
      halo = std::max({halo, -met.shift, last - (output - 1)});
    }
  }
  return halo;
}

std::int32_t input_offset(const LayerPlace& place, std::int64_t connection) {
  const Layer& layer = place.layer;
  const std::int64_t in = connection % layer.fan_in();
  const std::int64_t tap = in % layer.taps();
  return static_cast<std::int32_t>(kLanes * (in / layer.taps() * place.input.plane() +
                                             tap / layer.kernel_width * place.input.pitch() +
                                             tap % layer.kernel_width));
}

}  // namespace

std::int64_t input_halo(const Window& window) { return window.padding; }

std::int64_t gradient_halo(const Window& window, const Shape& input, const Shape& output) {
  return std::max(gradient_halo(window.height, window, input.height, output.height),
                  gradient_halo(window.width, window, input.width, output.width));
}

void check_index_range(const LayerPlace& place) {
  constexpr std::int64_t limit = std::numeric_limits<std::int32_t>::max();
  const std::int64_t floats = kLanes * std::max(place.input.block(), place.output.block());
  if (floats > limit || place.layer.connections() > limit) {
    throw Error(place.layer.name,
                fmt::format("{} connections, {} values in a block: more than an index can hold",
                            place.layer.connections(), floats),
                "use the LibTorch executor");
  }
}

void build_index(const LayerPlace& place, const LayerMask& mask, bool with_input_gradient,
                 LayerIndex& index) {
  const Layer& layer = place.layer;
  const std::int64_t stride = place.window.stride;
  index.begin.assign(at(layer.outputs + 1), 0);
  index.offset.clear();
  index.offset.reserve(at(mask.count()));
  index.phases.resize(at(with_input_gradient ? stride * stride : 0));
  for (std::size_t p = 0; p < index.phases.size(); ++p) {
    LayerIndex::Phase& phase = index.phases[p];
    phase.row = static_cast<std::int64_t>(p) / stride;
    phase.column = static_cast<std::int64_t>(p) % stride;
    phase.begin.assign(at(layer.inputs + 1), 0);
  }
  std::vector<Meeting> rows;
  std::vector<Meeting> columns;
  for (std::int64_t tap = 0; tap < layer.taps(); ++tap) {
    rows.push_back(meeting(tap / layer.kernel_width, place.window));
    columns.push_back(meeting(tap % layer.kernel_width, place.window));
  }
  const auto phase_of = [&](std::int64_t tap) -> LayerIndex::Phase& {
    return index.phases[at(rows[at(tap)].phase * stride + columns[at(tap)].phase)];
  };

  // Counts stand one place behind their row, so that their running sums are beginnings.
  mask.for_each_present([&](std::int64_t i) {
    ++index.begin[at(i / layer.fan_in() + 1)];
    index.offset.push_back(input_offset(place, i));
    if (with_input_gradient) {
      ++phase_of(i % layer.taps()).begin[at(i / layer.taps() % layer.inputs + 1)];
    }
  });
  for (std::int64_t o = 0; o < layer.outputs; ++o) {
    index.begin[at(o + 1)] += index.begin[at(o)];
  }
  if (!with_input_gradient) {
    return;
  }
  std::int32_t total = 0;
  for (LayerIndex::Phase& phase : index.phases) {
    phase.begin[0] = total;
    for (std::int64_t i = 0; i < layer.inputs; ++i) {
      phase.begin[at(i + 1)] += phase.begin[at(i)];
    }
    total = phase.begin.back();
  }
  index.gradient_offset.resize(index.offset.size());
  index.source.resize(index.offset.size());
  std::int32_t connection = 0;
  mask.for_each_present([&](std::int64_t i) {
    const std::int64_t tap = i % layer.taps();
    const std::size_t place_in_order =
        at(phase_of(tap).begin[at(i / layer.taps() % layer.inputs)]++);
    index.gradient_offset[place_in_order] = static_cast<std::int32_t>(
        kLanes * (i / layer.fan_in() * place.output.plane() +
                  rows[at(tap)].shift * place.output.pitch() + columns[at(tap)].shift));
    index.source[place_in_order] = connection++;
  });
  // Filling moved every beginning to its end: the beginning of the next row.
  for (LayerIndex::Phase& phase : index.phases) {
    std::shift_right(phase.begin.begin(), phase.begin.end() - 1, 1);
  }
  total = 0;
  for (LayerIndex::Phase& phase : index.phases) {
    phase.begin[0] = total;
    total = phase.begin.back();
  }
}

std::vector<std::int32_t> all_offsets(const LayerPlace& place) {
  std::vector<std::int32_t> offsets;
  for (std::int64_t i = 0; i < place.layer.fan_in(); ++i) {
    offsets.push_back(input_offset(place, i));
  }
  return offsets;
}

}  // namespace gcg::sparse
