#include "paths/planes.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/index.h"

namespace gcg {

namespace {

std::int64_t round_up(std::int64_t n) {
  return (n + kPositionStep - 1) / kPositionStep * kPositionStep;
}

/// Elements in front of every channel of the spread outputs: a shift taken back from position 0.
std::int64_t spread_plane(const PlaneLayout& layout) { return layout.reach + layout.plane; }

/// Calls copy(plane element, input element, count, input step) for every stretch of every row of a
/// channel's phases that lies inside of the input.
template <typename F>
void for_each_stretch(const PlaneLayout& layout, F copy) {
  const std::int64_t rows = layout.plane / layout.pitch;
  for (std::int64_t py = 0; py < layout.phase_rows; ++py) {
    for (std::int64_t px = 0; px < layout.phase_columns; ++px) {
      // First and last column whose position column * stride + px - padding is one of the input.
      const std::int64_t before = std::max<std::int64_t>(0, layout.padding - px);
      const std::int64_t first = (before + layout.stride - 1) / layout.stride;
      const std::int64_t behind = layout.input.width + layout.padding - px;  // exclusive, padded
      const std::int64_t last =
          std::min(layout.pitch, (behind + layout.stride - 1) / layout.stride);
      for (std::int64_t row = 0; row < rows && first < last; ++row) {
        const std::int64_t y = row * layout.stride + py - layout.padding;
        if (y >= 0 && y < layout.input.height) {
          const std::int64_t x = first * layout.stride + px - layout.padding;
          copy((py * layout.phase_columns + px), row * layout.pitch + first,
               y * layout.input.width + x, last - first);
        }
      }
    }
  }
}

/// Calls f(unit, element of its weight, factor) for every present connection whose factor is not 0,
/// in ascending order.
template <typename F>
void for_each_tap(const PlaneLayout& layout, const LayerMask& mask, const ConnectionFactors& factor,
                  F f) {
  const std::int64_t fan_in = std::ssize(layout.plane_of);
  std::int64_t unit = 0;
  mask.for_each_present([&](std::int64_t c) {
    while (c >= (unit + 1) * fan_in) {
      ++unit;
    }
    if (const double value = factor(c); value != 0) {
      f(unit, at(c - unit * fan_in), value);
    }
  });
}

}  // namespace

std::int64_t PlaneLayout::forward_run() const {
  return round_up((output.height - 1) * pitch + output.width);
}

std::int64_t PlaneLayout::backward_run() const { return round_up(plane); }

PlaneLayout plane_layout(const Network& network, const Layer& layer) {
  const Node& node = network.nodes[static_cast<std::size_t>(layer.node)];
  return plane_layout(network, layer,
                      network.nodes[static_cast<std::size_t>(node.inputs[0])].shape);
}

PlaneLayout plane_layout(const Network& network, const Layer& layer, const Shape& input) {
  const Node& node = network.nodes[static_cast<std::size_t>(layer.node)];
  const auto outputs = [&](std::int64_t size, std::int64_t kernel) {
    return (size + 2 * node.window.padding - kernel) / node.window.stride + 1;
  };
  PlaneLayout layout;
  layout.input = input;
  layout.output = {layer.outputs, outputs(input.height, layer.kernel_height),
                   outputs(input.width, layer.kernel_width)};
  layout.stride = node.window.stride;
  layout.padding = node.window.padding;
  layout.phase_rows = std::min(layout.stride, layer.kernel_height);
  layout.phase_columns = std::min(layout.stride, layer.kernel_width);
  const std::int64_t down = (layer.kernel_height - 1) / layout.stride;
  const std::int64_t right = (layer.kernel_width - 1) / layout.stride;
  layout.pitch = layout.output.width + right;
  layout.plane = (layout.output.height + down) * layout.pitch;
  layout.reach = down * layout.pitch + right;
  const double elements = static_cast<double>(std::max(layout.planes(), layout.output.channels)) *
                          static_cast<double>(spread_plane(layout) + kPositionStep);
  if (elements >= static_cast<double>(std::numeric_limits<std::uint32_t>::max())) {
    throw Error(fmt::format("{}: {}", network.name, layer.name),
                fmt::format("path sums over {:.3g} elements: more than 2^32", elements));
  }
  layout.plane_of.reserve(static_cast<std::size_t>(layer.fan_in()));
  layout.shift_of.reserve(static_cast<std::size_t>(layer.fan_in()));
  for (std::int64_t i = 0; i < layer.inputs; ++i) {
    for (std::int64_t ky = 0; ky < layer.kernel_height; ++ky) {
      for (std::int64_t kx = 0; kx < layer.kernel_width; ++kx) {
        layout.plane_of.push_back(i * layout.phases() + ky % layout.stride * layout.phase_columns +
                                  kx % layout.stride);
        layout.shift_of.push_back(ky / layout.stride * layout.pitch + kx / layout.stride);
      }
    }
  }
  return layout;
}

void fill_planes(const PlaneLayout& layout, std::span<const double> input,
                 std::vector<double>& planes) {
  planes.assign(at(layout.planes() * layout.plane + kPositionStep), 0.0);
  for (std::int64_t i = 0; i < layout.input.channels; ++i) {
    double* to = planes.data() + i * layout.phases() * layout.plane;
    const double* from = input.data() + i * layout.input.positions();
    for_each_stretch(layout, [&](std::int64_t phase, std::int64_t element, std::int64_t source,
                                 std::int64_t count) {
      double* row = to + phase * layout.plane + element;
      for (std::int64_t k = 0; k < count; ++k) {
        row[k] = from[source + k * layout.stride];
      }
    });
  }
}

void read_planes(const PlaneLayout& layout, std::span<const double> planes,
                 std::span<double> input) {
  const std::int64_t run = layout.backward_run();
  std::fill(input.begin(), input.end(), 0.0);
  for (std::int64_t i = 0; i < layout.input.channels; ++i) {
    const double* from = planes.data() + i * layout.phases() * run;
    double* to = input.data() + i * layout.input.positions();
    for_each_stretch(layout, [&](std::int64_t phase, std::int64_t element, std::int64_t target,
                                 std::int64_t count) {
      const double* row = from + phase * run + element;
      for (std::int64_t k = 0; k < count; ++k) {
        to[target + k * layout.stride] = row[k];
      }
    });
  }
}

void fill_outputs(const PlaneLayout& layout, std::span<const double> output,
                  std::vector<double>& spread) {
  const std::int64_t plane = spread_plane(layout);
  spread.assign(at(layout.output.channels * plane + kPositionStep), 0.0);
  const double* from = output.data();
  for (std::int64_t o = 0; o < layout.output.channels; ++o) {
    double* to = spread.data() + o * plane + layout.reach;
    for (std::int64_t y = 0; y < layout.output.height; ++y, from += layout.output.width) {
      std::copy_n(from, layout.output.width, to + y * layout.pitch);
    }
  }
}

void read_outputs(const PlaneLayout& layout, std::span<const double> runs,
                  std::span<double> output) {
  const std::int64_t run = layout.forward_run();
  double* to = output.data();
  for (std::int64_t o = 0; o < layout.output.channels; ++o) {
    const double* from = runs.data() + o * run;
    for (std::int64_t y = 0; y < layout.output.height; ++y, to += layout.output.width) {
      std::copy_n(from + y * layout.pitch, layout.output.width, to);
    }
  }
}

std::vector<std::uint32_t> tap_offsets(const PlaneLayout& layout) {
  std::vector<std::uint32_t> offsets(layout.plane_of.size());
  for (std::size_t k = 0; k < offsets.size(); ++k) {
    offsets[k] = static_cast<std::uint32_t>(layout.plane_of[k] * layout.plane + layout.shift_of[k]);
  }
  return offsets;
}

TapForm tap_form(const LayerMask& mask) {
  return 3 * mask.count() >= 2 * mask.size() ? TapForm::shared : TapForm::sparse;
}

LayerTaps forward_taps(const PlaneLayout& layout, const LayerMask& mask,
                       const ConnectionFactors& factor, TapForm form) {
  LayerTaps result;
  const std::vector<std::uint32_t> offsets = tap_offsets(layout);
  if (factor.weights.empty() && mask.count() == mask.size()) {
    result.shared.push_back({0, 1, 1, offsets, std::vector<double>(offsets.size(), 1.0)});
    result.copies = layout.output.channels;
    return result;
  }
  if (form == TapForm::shared) {
    SharedTapRows rows{0, 1, layout.output.channels, offsets, {}};
    rows.factor.assign(at(mask.size()), 0.0);
    mask.for_each_present([&](std::int64_t c) { rows.factor[at(c)] = factor(c); });
    result.shared.push_back(std::move(rows));
    return result;
  }
  TapRows& taps = result.sparse;
  taps.begin.assign(at(layout.output.channels) + 1, 0);
  const std::size_t present = at(mask.count());
  taps.offset.reserve(present);
  taps.factor.reserve(present);
  for_each_tap(layout, mask, factor, [&](std::int64_t unit, std::size_t k, double f) {
    ++taps.begin[at(unit) + 1];
    taps.offset.push_back(offsets[k]);
    taps.factor.push_back(f);
  });
  std::partial_sum(taps.begin.begin(), taps.begin.end(), taps.begin.begin());
  return result;
}

LayerTaps backward_taps(const PlaneLayout& layout, const LayerMask& mask,
                        const ConnectionFactors& factor, TapForm form) {
  LayerTaps result;
  const auto offset = [&](std::int64_t unit, std::size_t k) {
    return static_cast<std::uint32_t>(unit * spread_plane(layout) + layout.reach -
                                      layout.shift_of[k]);
  };
  if (form == TapForm::shared) {
    // Planes of one phase read the same shifts of all output channels, whatever their channel.
    const std::size_t kernel = layout.plane_of.size() / at(layout.input.channels);
    std::vector<std::size_t> taps(at(layout.phases()), 0);  // per phase and output channel
    std::vector<std::size_t> slot(kernel);                  // of a tap among those of its phase
    for (std::size_t k = 0; k < kernel; ++k) {
      slot[k] = taps[at(layout.plane_of[k])]++;
    }
    for (std::int64_t phase = 0; phase < layout.phases(); ++phase) {
      SharedTapRows rows{phase, layout.phases(), layout.input.channels, {}, {}};
      for (std::int64_t unit = 0; unit < layout.output.channels; ++unit) {
        for (std::size_t k = 0; k < kernel; ++k) {
          if (layout.plane_of[k] == phase) {
            rows.offset.push_back(offset(unit, k));
          }
        }
      }
      rows.factor.assign(at(rows.rows) * rows.offset.size(), 0.0);
      result.shared.push_back(std::move(rows));
    }
    // Where the factors of output channel 0 go; those of the next one follow behind its taps.
    std::vector<double*> place(layout.plane_of.size());
    std::vector<std::size_t> step(layout.plane_of.size());
    for (std::size_t k = 0; k < place.size(); ++k) {
      const std::size_t phase = at(layout.plane_of[k % kernel]);
      SharedTapRows& rows = result.shared[phase];
      place[k] = rows.factor.data() + k / kernel * rows.offset.size() + slot[k % kernel];
      step[k] = taps[phase];
    }
    for_each_tap(layout, mask, factor, [&](std::int64_t unit, std::size_t k, double f) {
      place[k][at(unit) * step[k]] = f;
    });
    return result;
  }
  TapRows& taps = result.sparse;
  // Counting sort by plane; within a plane the connections keep their order.
  taps.begin.assign(at(layout.planes()) + 1, 0);
  for_each_tap(layout, mask, factor, [&](std::int64_t, std::size_t k, double) {
    ++taps.begin[at(layout.plane_of[k]) + 1];
  });
  std::partial_sum(taps.begin.begin(), taps.begin.end(), taps.begin.begin());
  std::vector<std::int64_t> next(taps.begin.begin(), taps.begin.end() - 1);
  taps.offset.resize(at(taps.begin.back()));
  taps.factor.resize(taps.offset.size());
  for_each_tap(layout, mask, factor, [&](std::int64_t unit, std::size_t k, double f) {
    const std::size_t slot = at(next[at(layout.plane_of[k])]++);
    taps.offset[slot] = offset(unit, k);
    taps.factor[slot] = f;
  });
  return result;
}

void sum_layer(const LayerTaps& taps, const double* in, std::int64_t positions, double* out) {
  if (taps.shared.empty()) {
    sum_taps(taps.sparse, in, positions, out);
  }
  for (const SharedTapRows& rows : taps.shared) {
    sum_shared_taps(rows, in, positions, out);
  }
  for (std::int64_t row = 1; row < taps.copies; ++row) {
    std::copy_n(out, positions, out + row * positions);
  }
}

}  // namespace gcg
