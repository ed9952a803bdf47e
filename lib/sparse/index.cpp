#include "sparse/index.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/index.h"

namespace gcg::sparse {

namespace {

/// Where tap k of a window meets the positions r, r + stride, ... of the input, along one axis:
/// output j + shift for input r + stride j.
struct AxisMeeting {
  std::int64_t phase = 0;
  std::int64_t shift = 0;
};

AxisMeeting axis_meeting(std::int64_t tap, const Window& window) {
  const std::int64_t phase =
      ((tap - window.padding) % window.stride + window.stride) % window.stride;
  return {phase, (phase + window.padding - tap) / window.stride};
}

std::int64_t gradient_halo(std::int64_t taps, const Window& window, std::int64_t input,
                           std::int64_t output) {
  std::int64_t halo = 0;
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    const AxisMeeting met = axis_meeting(tap, window);
    if (met.phase < input) {
      const std::int64_t last = (input - 1 - met.phase) / window.stride + met.shift;
      halo = std::max({halo, -met.shift, last - (output - 1)});
    }
  }
  return halo;
}

/// Of connection i of an output.
std::int32_t input_offset(const LayerPlace& place, std::int64_t i) {
  const std::int64_t tap = i % place.layer.taps();
  return static_cast<std::int32_t>(kLanes * (i / place.layer.taps() * place.input.plane() +
                                             tap / place.layer.kernel_width * place.input.pitch() +
                                             tap % place.layer.kernel_width));
}

/// A run of a row shall have some twenty taps, so that taking up its sums again costs little; the
/// part of 16 channels under a tile is about what a first cache of 48 KiB holds. Measured over
/// densities at 16 to 128 channels.
std::int64_t channels_of_a_pass(const Layer& layer, std::int64_t present) {
  constexpr std::int64_t kTapsOfARun = 20;
  constexpr std::int64_t kChannels = 16;
  const double taps = static_cast<double>(present) /
                      static_cast<double>(std::max<std::int64_t>(1, layer.outputs * layer.inputs));
  return std::max(kChannels, static_cast<std::int64_t>(static_cast<double>(kTapsOfARun) /
                                                       std::max(taps, 1e-6)));
}

/// Counts, one run behind their place, become cuts; the end of the last row.
std::int32_t sum_up(Rows& rows, std::int64_t count, std::int32_t first) {
  for (std::int64_t r = 0; r < count; ++r) {
    rows.cut[at(r)] = first;
    for (std::int64_t p = 0; p < rows.passes; ++p) {
      rows.cut[at((p + 1) * count + r)] += rows.cut[at(p * count + r)];
    }
    first = rows.cut[at(rows.passes * count + r)];
  }
  return first;
}

}  // namespace

std::vector<Meeting> meetings(const LayerPlace& place) {
  std::vector<Meeting> met;
  for (std::int64_t tap = 0; tap < place.layer.taps(); ++tap) {
    const AxisMeeting rows = axis_meeting(tap / place.layer.kernel_width, place.window);
    const AxisMeeting columns = axis_meeting(tap % place.layer.kernel_width, place.window);
    met.push_back({rows.phase * place.window.stride + columns.phase, rows.shift, columns.shift});
  }
  return met;
}

std::int32_t gradient_offset(const LayerPlace& place, const Meeting& met, std::int64_t plane) {
  return static_cast<std::int32_t>(
      kLanes *
      (plane * place.output.plane() + met.row_shift * place.output.pitch() + met.column_shift));
}

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
  const std::int64_t present = mask.count();
  const std::int64_t in_a_pass = channels_of_a_pass(layer, present);
  const std::vector<Meeting> met = meetings(place);
  const auto clear = [&](Rows& rows, std::int64_t count, std::int64_t channels) {
    rows.passes = (channels + in_a_pass - 1) / in_a_pass;
    rows.cut.assign(at((rows.passes + 1) * count), 0);
  };
  clear(index.outputs, layer.outputs, layer.inputs);
  index.offset.clear();
  index.offset.reserve(at(present));
  index.inputs.resize(with_input_gradient ? at(place.window.stride * place.window.stride) : 0);
  for (Rows& rows : index.inputs) {
    clear(rows, layer.inputs, layer.outputs);
  }
  mask.for_each_present([&](std::int64_t i) {
    const std::int64_t output = i / layer.fan_in();
    const std::int64_t input = i / layer.taps() % layer.inputs;
    ++index.outputs.cut[at((input / in_a_pass + 1) * layer.outputs + output)];
    index.offset.push_back(input_offset(place, i % layer.fan_in()));
    if (with_input_gradient) {
      Rows& rows = index.inputs[at(met[at(i % layer.taps())].phase)];
      ++rows.cut[at((output / in_a_pass + 1) * layer.inputs + input)];
    }
  });
  sum_up(index.outputs, layer.outputs, 0);
  if (!with_input_gradient) {
    return;
  }
  std::int32_t first = 0;
  std::vector<std::vector<std::int32_t>> next;  // per phase and input, the place of its next tap
  for (Rows& rows : index.inputs) {
    first = sum_up(rows, layer.inputs, first);
    next.emplace_back(rows.cut.begin(), rows.cut.begin() + layer.inputs);
  }
  index.gradient_offset.resize(at(present));
  index.source.resize(at(present));
  std::int32_t connection = 0;
  mask.for_each_present([&](std::int64_t i) {
    const Meeting& meeting = met[at(i % layer.taps())];
    const std::size_t to = at(next[at(meeting.phase)][at(i / layer.taps() % layer.inputs)]++);
    index.gradient_offset[to] = gradient_offset(place, meeting, i / layer.fan_in());
    index.source[to] = connection++;
  });
}

AllIndex all_index(const LayerPlace& place, bool with_inputs) {
  const Layer& layer = place.layer;
  const std::vector<Meeting> met = meetings(place);
  AllIndex index;
  index.offset.reserve(at(layer.fan_in()));
  for (std::int64_t i = 0; i < layer.fan_in(); ++i) {
    index.offset.push_back(input_offset(place, i));
  }
  if (!with_inputs) {
    return index;
  }
  index.inputs.resize(at(place.window.stride * place.window.stride));
  for (std::int64_t output = 0; output < layer.outputs; ++output) {
    for (std::int64_t tap = 0; tap < layer.taps(); ++tap) {
      AllIndex::Inputs& inputs = index.inputs[at(met[at(tap)].phase)];
      inputs.gradient_offset.push_back(gradient_offset(place, met[at(tap)], output));
      inputs.source.push_back(static_cast<std::int32_t>(output * layer.fan_in() + tap));
    }
  }
  return index;
}

}  // namespace gcg::sparse
