#include <algorithm>
#include <utility>

#include "base/index.h"
#include "sparse/grids.h"
#include "sparse/operations.h"
#include "sparse/parallel.h"

namespace gcg::sparse {

namespace {

/// Weights whose sums by lane are kept at a time: what a second cache holds beside the inputs.
constexpr std::int64_t kWeightsAtATime = 4096;

/// Where there is one position only, the blocks are the columns of the grid.
bool is_vector(const Layout& layout) { return layout.shape.positions() == 1; }

Grid vector_grid(std::int64_t blocks, const Layout& input, const Layout& output) {
  return {1, blocks, 0, input.block() * kLanes, 0, output.block() * kLanes};
}

Taps taps_of(const Rows& rows, std::int64_t count, const std::vector<std::int32_t>& offset,
             std::span<const float> values) {
  return {rows.cut.data(), count, count, rows.passes, offset.data(), values.data()};
}

/// The same for what takes a row of the grid at a time.
Grid line_grid(const LayerPlace& place, Stripe stripe) {
  Grid grid = output_grid(place, stripe);
  if (grid.width == 1 && place.input.pitch() == 1 && place.output.pitch() == 1 &&
      place.window == Window{}) {
    std::swap(grid.height, grid.width);
  }
  return grid;
}

/// The first tap of a row.
std::int64_t begin_of(const SparseLayer& layer, Weights which, std::int64_t row) {
  if (which == Weights::all) {
    return row * layer.place.layer.fan_in();
  }
  return row < layer.place.layer.outputs ? layer.index.outputs.cut[at(row)]
                                         : std::ssize(layer.index.offset);
}

/// Rows from `row` on, as many as kWeightsAtATime holds, but one at least.
std::int64_t rows_at_a_time(const SparseLayer& layer, Weights which, std::int64_t row,
                            std::int64_t end) {
  std::int64_t last = row + 1;
  while (last < end &&
         begin_of(layer, which, last + 1) - begin_of(layer, which, row) <= kWeightsAtATime) {
    ++last;
  }
  return last - row;
}

}  // namespace

void convolve(const Run& run, Blocks part, Stripe stripe, const SparseLayer& layer,
              const View& input, const View& output) {
  const LayerPlace& place = layer.place;
  const std::vector<float>& bias = layer.bias.value;
  const Taps taps =
      taps_of(layer.index.outputs, place.layer.outputs, layer.index.offset, layer.weight.value);
  const AllTaps all{place.layer.outputs, place.layer.fan_in(), layer.all.offset.data(),
                    layer.all_values.data()};
  const std::int64_t corner = -place.window.padding;
  const std::int64_t plane = output.layout.plane() * kLanes;
  const auto gather = [&](const Grid& grid, std::int64_t block) {
    const GatherStart start{false, bias.empty() ? nullptr : bias.data(), run.lanes(block),
                            !output.one_block};
    const float* const from = input.at(block, 0, place.window.stride * stripe.top + corner, corner);
    float* const to = output.at(block, 0, stripe.top);
    if (layer.runs_all) {
      run.kernels->gather_all(all, grid, from, start, plane, to);
    } else {
      run.kernels->gather(taps, grid, from, start, plane, to);
    }
  };
  if (!is_vector(output.layout)) {
    for (std::int64_t b = part.begin; b < part.end; ++b) {
      gather(output_grid(place, stripe), b);
    }
    return;
  }
  // A last block that is not full has its own lanes.
  const std::int64_t last = run.last_is_full() || part.end < run.blocks ? part.end : part.end - 1;
  if (part.begin < last) {
    gather(vector_grid(last - part.begin, input.layout, output.layout), part.begin);
  }
  if (last < part.end) {
    gather(vector_grid(1, input.layout, output.layout), last);
  }
}

void convolve_input_gradient(const Run& run, Blocks part, Stripe stripe, const SparseLayer& layer,
                             std::span<const float> by_input, const View& gradient, bool accumulate,
                             const View& to) {
  const LayerPlace& place = layer.place;
  const std::int64_t stride = place.window.stride;
  const GatherStart start{accumulate, nullptr, nullptr, !to.one_block};
  const std::int64_t plane = to.layout.plane() * kLanes;
  const auto gather = [&](std::int64_t p, const Grid& grid, const float* from, float* result) {
    if (layer.runs_all) {
      const AllIndex::Inputs& inputs = layer.all.inputs[at(p)];
      const AllTaps taps{place.layer.inputs, std::ssize(inputs.source),
                         inputs.gradient_offset.data(), layer.all_by_input[at(p)].data()};
      run.kernels->gather_all(taps, grid, from, start, plane, result);
    } else {
      const Taps taps = taps_of(layer.index.inputs[at(p)], place.layer.inputs,
                                layer.index.gradient_offset, by_input);
      run.kernels->gather(taps, grid, from, start, plane, result);
    }
  };
  for (std::int64_t p = 0; p < stride * stride; ++p) {
    const PhaseGrid phase = phase_grid(place, stripe, p);
    if (phase.empty()) {
      continue;
    }
    if (is_vector(to.layout)) {
      gather(p, vector_grid(part.end - part.begin, gradient.layout, to.layout),
             gradient.at(part.begin, 0), to.at(part.begin, 0));
      continue;
    }
    for (std::int64_t b = part.begin; b < part.end; ++b) {
      gather(p, phase.grid, gradient.at(b, 0, phase.first), to.at(b, 0, phase.row, phase.column));
    }
  }
}

std::int64_t lane_count(const Layer& layer) { return std::max(kWeightsAtATime, layer.fan_in()); }

std::int64_t weight_count(const SparseLayer& layer, Weights which) {
  return begin_of(layer, which, layer.place.layer.outputs);
}

OutputRows share_of_rows(const SparseLayer& layer, Weights which, std::int64_t part,
                         std::int64_t parts) {
  const auto cut = [&](std::int64_t p) {
    const std::int64_t rows = layer.place.layer.outputs;
    const std::int64_t wanted = weight_count(layer, which) * p / parts;
    std::int64_t row = rows * p / parts;
    while (row > 0 && begin_of(layer, which, row) > wanted) {
      --row;
    }
    while (row < rows && begin_of(layer, which, row) < wanted) {
      ++row;
    }
    return p == parts ? rows : row;
  };
  return {cut(part), cut(part + 1)};
}

void convolve_weight_gradient(const Run& run, Blocks part, Stripe stripe, const SparseLayer& layer,
                              Weights which, OutputRows rows, const View& input,
                              const View& gradient, std::span<Position> lanes,
                              std::span<float> sums) {
  const LayerPlace& place = layer.place;
  const std::int64_t corner = -place.window.padding;
  const std::int64_t plane = gradient.layout.plane() * kLanes;
  const std::int64_t outputs = place.layer.outputs;
  std::int64_t count = 0;
  for (std::int64_t row = rows.begin; row < rows.end; row += count) {
    count = rows_at_a_time(layer, which, row, rows.end);
    const std::int64_t first = begin_of(layer, which, row);
    const std::int64_t weights = begin_of(layer, which, row + count) - first;
    std::fill_n(lanes.begin(), weights, Position{});
    float* const to = lanes.data()->lanes.data();
    const auto correlate = [&](const Grid& grid, std::int64_t block) {
      const float* const from =
          input.at(block, 0, place.window.stride * stripe.top + corner, corner);
      const float* const g = gradient.at(block, row, stripe.top);
      if (which == Weights::all) {
        const AllTaps taps{count, place.layer.fan_in(), layer.all.offset.data(), nullptr};
        run.kernels->correlate_all(taps, grid, from, g, plane, to);
      } else {
        const Taps taps{layer.index.outputs.cut.data() + row,
                        count,
                        outputs,
                        layer.index.outputs.passes,
                        layer.index.offset.data(),
                        nullptr};
        run.kernels->correlate(taps, grid, from, g, plane, to);
      }
    };
    if (is_vector(gradient.layout)) {
      correlate(vector_grid(part.end - part.begin, input.layout, gradient.layout), part.begin);
    } else {
      for (std::int64_t b = part.begin; b < part.end; ++b) {
        correlate(line_grid(place, stripe), b);
      }
    }
    run.kernels->add_lanes(to, weights, sums.data() + first);
  }
}

void select_present(const LayerMask& mask, std::span<const float> all, std::span<float> present) {
  std::size_t next = 0;
  mask.for_each_present([&](std::int64_t i) { present[next++] = all[at(i)]; });
}

void add_bias_gradient(const Run& run, Blocks part, Stripe stripe, const View& gradient,
                       std::span<float> sums) {
  const Plane plane = flat_plane(gradient.layout, stripe);
  for (std::int64_t b = part.begin; b < part.end; ++b) {
    for (std::int64_t o = 0; o < std::ssize(sums); ++o) {
      sums[at(o)] += static_cast<float>(run.kernels->sum(plane, gradient.at(b, o, stripe.top)));
    }
  }
}

void bias_gradient(const Run& run, const View& gradient, std::span<float> result) {
  const Layout& layout = gradient.layout;
  const Plane plane{layout.shape.height, layout.shape.width * kLanes, layout.pitch() * kLanes, 0};
  in_parts(run.threads, std::ssize(result),
           [&](std::int64_t, std::int64_t begin, std::int64_t end) {
             for (std::int64_t o = begin; o < end; ++o) {
               double sum = 0;
               for (std::int64_t b = 0; b < run.blocks; ++b) {
                 sum += run.kernels->sum(plane, gradient.at(b, o));
               }
               result[at(o)] = static_cast<float>(sum);
             }
           });
}

}  // namespace gcg::sparse
