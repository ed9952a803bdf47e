#include <algorithm>

#include "sparse/operations.h"
#include "sparse/parallel.h"

namespace gcg::sparse {

namespace {

/// Bytes of an input that a thread correlates with all its outputs before it goes on: what a second
/// cache holds. Part of the order of additions.
constexpr std::int64_t kStripeBytes = 384 * 1024;

/// Where there is one position only, the blocks are the columns of the grid.
bool is_vector(const Layout& layout) { return layout.shape.positions() == 1; }

Grid vector_grid(std::int64_t blocks, const Layout& input, const Layout& output) {
  return {1, blocks, 0, input.block() * kLanes, 0, output.block() * kLanes};
}

Grid output_grid(const LayerPlace& place) {
  const std::int64_t stride = place.window.stride * kLanes;
  return {place.output.shape.height,     place.output.shape.width,
          stride * place.input.pitch(),  stride,
          place.output.pitch() * kLanes, kLanes};
}

/// The first row whose taps begin in part `part` of `parts` equal ones.
std::int64_t cut(std::span<const std::int32_t> begin, std::int64_t part, std::int64_t parts) {
  const std::int64_t rows = std::ssize(begin) - 1;
  if (part == 0 || part == parts) {
    return part == 0 ? 0 : rows;
  }
  const std::int64_t taps = std::int64_t{begin.back()} * part / parts;
  return std::lower_bound(begin.begin(), begin.end() - 1, taps) - begin.begin();
}

}  // namespace

void convolve(const Run& run, Blocks part, const LayerPlace& place, const LayerIndex& index,
              std::span<const float> values, std::span<const float> bias, const View& input,
              const View& output) {
  const Taps taps{index.begin.data(), place.layer.outputs, index.offset.data(), values.data()};
  const std::int64_t corner = -place.window.padding;
  const std::int64_t plane = output.layout.plane() * kLanes;
  const auto gather = [&](const Grid& grid, std::int64_t block) {
    const GatherStart start{false, bias.empty() ? nullptr : bias.data(), run.lanes(block)};
    run.kernels->gather(taps, grid, input.at(block, 0, corner, corner), start, plane,
                        output.at(block, 0));
  };
  if (!is_vector(output.layout)) {
    for (std::int64_t b = part.begin; b < part.end; ++b) {
      gather(output_grid(place), b);
    }
    return;
  }
  // A last block that is not full has its own lanes.
  const std::int64_t last = run.last_is_full() || part.end < run.blocks ? part.end : part.end - 1;
  gather(vector_grid(last - part.begin, input.layout, output.layout), part.begin);
  if (last < part.end) {
    gather(vector_grid(1, input.layout, output.layout), last);
  }
}

void convolve_input_gradient(const Run& run, Blocks part, const LayerPlace& place,
                             const LayerIndex& index, std::span<const float> values,
                             const View& gradient, bool accumulate, const View& to) {
  const std::int64_t stride = place.window.stride;
  const GatherStart start{accumulate, nullptr, nullptr};
  const std::int64_t plane = to.layout.plane() * kLanes;
  const Shape& shape = to.layout.shape;
  for (const LayerIndex::Phase& phase : index.phases) {
    if (phase.row >= shape.height || phase.column >= shape.width) {
      continue;
    }
    const Taps taps{phase.begin.data(), place.layer.inputs, index.gradient_offset.data(),
                    values.data()};
    if (is_vector(to.layout)) {
      run.kernels->gather(taps, vector_grid(part.end - part.begin, gradient.layout, to.layout),
                          gradient.at(part.begin, 0), start, plane, to.at(part.begin, 0));
      continue;
    }
    const Grid grid{(shape.height - phase.row + stride - 1) / stride,
                    (shape.width - phase.column + stride - 1) / stride,
                    gradient.layout.pitch() * kLanes,
                    kLanes,
                    stride * to.layout.pitch() * kLanes,
                    stride * kLanes};
    for (std::int64_t b = part.begin; b < part.end; ++b) {
      run.kernels->gather(taps, grid, gradient.at(b, 0), start, plane,
                          to.at(b, 0, phase.row, phase.column));
    }
  }
}

void convolve_weight_gradient(const Run& run, const LayerPlace& place,
                              std::span<const std::int32_t> begin,
                              std::span<const std::int32_t> offset, bool shared, const View& input,
                              const View& gradient, std::span<float> result) {
  const std::int64_t corner = -place.window.padding;
  const std::int64_t stride = place.window.stride;
  const auto correlate_rows = [&](const Grid& grid, const float* from, std::int64_t block,
                                  std::int64_t y, std::int64_t first, std::int64_t last) {
    for (std::int64_t o = first; o < last; ++o) {
      const std::int64_t tap = begin[static_cast<std::size_t>(o)];
      const std::int64_t count = begin[static_cast<std::size_t>(o) + 1] - tap;
      run.kernels->correlate(grid, from, gradient.at(block, o, y),
                             offset.data() + (shared ? 0 : tap), count, result.data() + tap);
    }
  };
  in_parts(run.threads, run.threads, [&](std::int64_t part, std::int64_t part_end) {
    const std::int64_t first = cut(begin, part, run.threads);
    const std::int64_t last = cut(begin, part_end, run.threads);
    if (first >= last) {
      return;
    }
    std::fill(result.begin() + begin[static_cast<std::size_t>(first)],
              result.begin() + begin[static_cast<std::size_t>(last)], 0.0F);
    if (is_vector(gradient.layout)) {
      const std::int64_t bytes = input.layout.block() * kLanes * 4;
      const std::int64_t blocks = std::max<std::int64_t>(1, kStripeBytes / bytes);
      for (std::int64_t b = 0; b < run.blocks; b += blocks) {
        const Grid grid =
            vector_grid(std::min(blocks, run.blocks - b), input.layout, gradient.layout);
        correlate_rows(grid, input.at(b, 0, corner, corner), b, 0, first, last);
      }
      return;
    }
    const Shape& shape = gradient.layout.shape;
    const std::int64_t bytes =
        stride * input.layout.shape.channels * input.layout.pitch() * kLanes * 4;
    const std::int64_t rows = std::clamp<std::int64_t>(kStripeBytes / bytes, 1, shape.height);
    for (std::int64_t b = 0; b < run.blocks; ++b) {
      for (std::int64_t y = 0; y < shape.height; y += rows) {
        Grid grid = output_grid(place);
        grid.height = std::min(rows, shape.height - y);
        correlate_rows(grid, input.at(b, 0, stride * y + corner, corner), b, y, first, last);
      }
    }
  });
}

void bias_gradient(const Run& run, const View& gradient, std::span<float> result) {
  const Layout& layout = gradient.layout;
  const Plane plane{layout.shape.height, layout.shape.width * kLanes, layout.pitch() * kLanes};
  in_parts(run.threads, std::ssize(result), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) {
      double sum = 0;
      for (std::int64_t b = 0; b < run.blocks; ++b) {
        sum += run.kernels->sum(plane, gradient.at(b, o));
      }
      result[static_cast<std::size_t>(o)] = static_cast<float>(sum);
    }
  });
}

}  // namespace gcg::sparse
