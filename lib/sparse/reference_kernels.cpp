#include <algorithm>
#include <bit>
#include <cmath>

#include "sparse/reference_kernels.h"

namespace gcg::sparse {

namespace {

using reference::for_each;
using reference::mapped;
using reference::passed;
using reference::plane_sum;
using reference::rectified;
using reference::select;

/// Calls f(tap) for the taps of a row in order.
template <typename F>
void for_each_tap(const Taps& taps, std::int64_t row, F f) {
  for (std::int64_t p = 0; p < taps.passes; ++p) {
    for (std::int64_t t = taps.cut[p * taps.pitch + row]; t < taps.cut[(p + 1) * taps.pitch + row];
         ++t) {
      f(t);
    }
  }
}

template <typename F>
void for_each_tap(const AllTaps& taps, std::int64_t row, F f) {
  for (std::int64_t t = 0; t < taps.count; ++t) {
    f(row * taps.count + t);
  }
}

std::int32_t offset_of(const Taps& taps, std::int64_t tap) { return taps.offset[tap]; }
std::int32_t offset_of(const AllTaps& taps, std::int64_t tap) {
  return taps.offset[tap % taps.count];
}

std::int64_t first_of(const Taps& taps) { return taps.cut[0]; }
std::int64_t first_of(const AllTaps&) { return 0; }

template <typename AnyTaps>
void gather(const AnyTaps& taps, const Grid& grid, const float* input, const GatherStart& start,
            std::int64_t output_plane, float* output) {
  for (std::int64_t r = 0; r < taps.rows; ++r) {
    for (std::int64_t y = 0; y < grid.height; ++y) {
      for (std::int64_t x = 0; x < grid.width; ++x) {
        const float* from = input + y * grid.input_row + x * grid.input_column;
        float* to = output + r * output_plane + y * grid.output_row + x * grid.output_column;
        for (std::int64_t l = 0; l < kLanes; ++l) {
          float sum = 0;
          if (start.accumulate) {
            sum = to[l];
          } else if (start.bias != nullptr) {
            sum = select(start.bias[r], start.lanes[l]);
          }
          for_each_tap(taps, r, [&](std::int64_t t) {
            sum = std::fma(taps.value[t], from[offset_of(taps, t) + l], sum);
          });
          to[l] = sum;
        }
      }
    }
  }
}

template <typename AnyTaps>
void correlate(const AnyTaps& taps, const Grid& grid, const float* input, const float* gradient,
               std::int64_t gradient_plane, float* lanes) {
  for (std::int64_t r = 0; r < taps.rows; ++r) {
    for_each_tap(taps, r, [&](std::int64_t t) {
      for (std::int64_t l = 0; l < kLanes; ++l) {
        float& sum = lanes[(t - first_of(taps)) * kLanes + l];
        for (std::int64_t y = 0; y < grid.height; ++y) {
          for (std::int64_t x = 0; x < grid.width; ++x) {
            sum = std::fma(
                gradient[r * gradient_plane + y * grid.output_row + x * grid.output_column + l],
                input[offset_of(taps, t) + y * grid.input_row + x * grid.input_column + l], sum);
          }
        }
      }
    });
  }
}

float tree_sum(const float* lanes) {
  float quad[4];
  for (int j = 0; j < 4; ++j) {
    quad[j] = (lanes[j] + lanes[j + 8]) + (lanes[j + 4] + lanes[j + 12]);
  }
  return (quad[0] + quad[2]) + (quad[1] + quad[3]);
}

void add_lanes(const float* lanes, std::int64_t count, float* sums) {
  for (std::int64_t t = 0; t < count; ++t) {
    sums[t] += tree_sum(lanes + t * kLanes);
  }
}

double sum(const Plane& plane, const float* x) {
  return plane_sum(plane,
                   [&](std::int64_t i, std::int64_t, float so_far) { return so_far + x[i]; });
}

double squares(const Plane& plane, const float* x, float mean, const float* lanes) {
  return plane_sum(plane, [&](std::int64_t i, std::int64_t lane, float so_far) {
    const float deviation = select(x[i] - mean, lanes[lane]);
    return std::fma(deviation, deviation, so_far);
  });
}

void normalise(const Plane& plane, const ChannelNorm& norm, const float* x, const float* other,
               bool relu, const float* lanes, float* y) {
  for_each(plane, [&](std::int64_t i, std::int64_t lane) {
    float value = mapped(norm, x[i]);
    if (other != nullptr) {
      value += other[i];
    }
    y[i] = select(relu ? rectified(value) : value, lanes[lane]);
  });
}

GradientSums norm_gradient_sums(const Plane& plane, const ChannelNormGradient& norm, const float* x,
                                const float* output, float* g) {
  if (output != nullptr) {
    for_each(plane, [&](std::int64_t i, std::int64_t) { g[i] = output[i] > 0 ? g[i] : 0.0F; });
  }
  const auto gradient = [&](std::int64_t i) {
    return output != nullptr ? g[i] : passed(norm, x[i], g[i]);
  };
  return {plane_sum(plane, [&](std::int64_t i, std::int64_t,
                               float so_far) { return so_far + gradient(i); }),
          plane_sum(plane, [&](std::int64_t i, std::int64_t, float so_far) {
            return std::fma(gradient(i), x[i] - norm.norm.mean, so_far);
          })};
}

void norm_gradient(const Plane& plane, const ChannelNormGradient& norm, const float* x,
                   const float* g, const float* lanes, bool accumulate, float* to) {
  for_each(plane, [&](std::int64_t i, std::int64_t lane) {
    const float value = std::fma(norm.norm.slope, passed(norm, x[i], g[i]),
                                 std::fma(norm.centred, x[i] - norm.norm.mean, norm.constant));
    to[i] = select(value, lanes[lane]) + (accumulate ? to[i] : 0.0F);
  });
}

void relu(const Plane& plane, const float* x, float* y) {
  for_each(plane, [&](std::int64_t i, std::int64_t) { y[i] = rectified(x[i]); });
}

void relu_gradient(const Plane& plane, const float* y, const float* g, bool accumulate, float* to) {
  for_each(plane, [&](std::int64_t i, std::int64_t) {
    const float value = y[i] > 0 ? g[i] : 0.0F;
    to[i] = accumulate ? to[i] + value : value;
  });
}

void add(const Plane& plane, const float* a, const float* b, float* to) {
  for_each(plane, [&](std::int64_t i, std::int64_t) { to[i] = a[i] + b[i]; });
}

/// Calls f(input, output) for every tap of every window, both as places in their planes; padding is
/// left out.
template <typename F>
void for_each_tap(const PoolPlane& plane, F f) {
  const Window& window = plane.window;
  for (std::int64_t oy = 0; oy < plane.output_height; ++oy) {
    for (std::int64_t ox = 0; ox < plane.output_width; ++ox) {
      for (std::int64_t ky = 0; ky < window.height; ++ky) {
        for (std::int64_t kx = 0; kx < window.width; ++kx) {
          const std::int64_t y = oy * window.stride + ky - window.padding;
          const std::int64_t x = ox * window.stride + kx - window.padding;
          if (y >= 0 && y < plane.input_height && x >= 0 && x < plane.input_width) {
            f(y * plane.input_pitch + x * kLanes, oy * plane.output_pitch + ox * kLanes);
          }
        }
      }
    }
  }
}

template <typename F>
void for_each_largest(const PoolPlane& plane, const float* x, F f) {
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    std::int64_t window = -1;
    std::int64_t best = 0;
    for_each_tap(plane, [&](std::int64_t from, std::int64_t to) {
      if (to != window && window >= 0) {
        f(best + lane, window + lane);
      }
      const float value = x[from + lane];
      if (to != window || value > x[best + lane] || std::isnan(value)) {
        best = from;
      }
      window = to;
    });
    if (window >= 0) {
      f(best + lane, window + lane);
    }
  }
}

void max_pool(const PoolPlane& plane, const float* x, float* y) {
  for_each_largest(plane, x, [&](std::int64_t from, std::int64_t to) { y[to] = x[from]; });
}

void max_pool_gradient(const PoolPlane& plane, const float* x, const float* g, float* to) {
  for_each_largest(plane, x,
                   [&](std::int64_t input, std::int64_t output) { to[input] += g[output]; });
}

float share(const PoolPlane& plane) {
  return 1.0F / static_cast<float>(plane.window.height * plane.window.width);
}

void average_pool(const PoolPlane& plane, const float* x, float* y) {
  for (std::int64_t oy = 0; oy < plane.output_height; ++oy) {
    std::fill_n(y + oy * plane.output_pitch, plane.output_width * kLanes, 0.0F);
  }
  for_each_tap(plane, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      y[to + lane] += x[from + lane];
    }
  });
  for (std::int64_t oy = 0; oy < plane.output_height; ++oy) {
    for (std::int64_t i = 0; i < plane.output_width * kLanes; ++i) {
      y[oy * plane.output_pitch + i] *= share(plane);
    }
  }
}

void average_pool_gradient(const PoolPlane& plane, const float* g, float* to) {
  for_each_tap(plane, [&](std::int64_t input, std::int64_t output) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      to[input + lane] += g[output + lane] * share(plane);
    }
  });
}

constexpr Kernels kReference{"reference",
                             true,
                             gather<Taps>,
                             gather<AllTaps>,
                             correlate<Taps>,
                             correlate<AllTaps>,
                             add_lanes,
                             sum,
                             squares,
                             normalise,
                             norm_gradient_sums,
                             norm_gradient,
                             relu,
                             relu_gradient,
                             add,
                             reference::expand_bf16,
                             reference::compress_bf16,
                             reference::normalise_bf16,
                             reference::norm_gradient_sums_bf16,
                             reference::norm_gradient_bf16,
                             reference::add_bf16,
                             reference::pair_positions,
                             reference::transpose_tile,
                             reference::multiply_tiles,
                             max_pool,
                             max_pool_gradient,
                             average_pool,
                             average_pool_gradient,
                             reference::multiply,
                             reference::softmax,
                             reference::softmax_gradient,
                             reference::gelu,
                             reference::gelu_gradient,
                             reference::layer_moments,
                             reference::layer_normalise,
                             reference::layer_norm_gradient};

}  // namespace

const Kernels& reference_kernels() { return kReference; }

}  // namespace gcg::sparse
