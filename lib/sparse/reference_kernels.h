#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "sparse/kernels.h"

// What the plain kernels have in common, for tensors in single precision and in bf16.
namespace gcg::sparse::reference {

inline float select(float value, float selector) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) &
                              std::bit_cast<std::uint32_t>(selector));
}

inline float rectified(float value) { return value < 0 ? 0.0F : value; }

/// Sum over a plane of f(i, lane): two sums by column, by row and lane in single precision, the
/// lanes in double precision.
template <typename F>
double plane_sum(const Plane& plane, F f) {
  double total = 0;
  for (std::int64_t l = 0; l < kLanes; ++l) {
    float lane = 0;
    for (std::int64_t y = 0; y < plane.height; ++y) {
      const std::int64_t width = plane.row / kLanes;
      float part[2] = {};
      for (std::int64_t x = 0; x < width; ++x) {
        float& sum = part[x < width / 2 * 2 ? x % 2 : 0];
        sum = f(y * plane.pitch + x * kLanes + l, l, sum);
      }
      lane += part[0] + part[1];
    }
    total += static_cast<double>(lane);
  }
  return total;
}

/// Calls f(i, lane) for every float of a plane.
template <typename F>
void for_each(const Plane& plane, F f) {
  for (std::int64_t y = 0; y < plane.height; ++y) {
    for (std::int64_t i = 0; i < plane.row; ++i) {
      f(y * plane.pitch + i, i % kLanes);
    }
  }
}

inline float mapped(const ChannelNorm& norm, float x) {
  return std::fma(norm.slope, x - norm.mean, norm.shift);
}

inline float passed(const ChannelNormGradient& norm, float x, float g) {
  return norm.relu && !(mapped(norm.norm, x) > 0) ? 0.0F : g;
}

void expand_bf16(const Plane& plane, const float* pairs, float* even, float* odd);
void compress_bf16(const Plane& plane, const float* even, const float* odd, bool accumulate,
                   float* pairs);
void normalise_bf16(const Plane& plane, const ChannelNorm* norms, const float* x,
                    const float* other, bool relu, const float* lanes, const TwoPlanes& y);
void norm_gradient_sums_bf16(const Plane& plane, const ChannelNormGradient* norms, const float* x,
                             const float* output, float* g, GradientSums* sums);
void norm_gradient_bf16(const Plane& plane, const ChannelNormGradient* norms, const float* x,
                        const float* g, const float* lanes, bool accumulate, const TwoPlanes& to);
void add_bf16(const Plane& plane, const float* a, const float* b, float* to);
void pair_positions(const float* first, const float* second, float* even, float* odd);
void transpose_tile(const float* from, float* to);
void multiply_tiles(std::int64_t depth, const float* a, const float* b, float* c);

void multiply(const Products& of, const float* a, const float* b, bool accumulate, float* to);
void softmax(std::int64_t rows, std::int64_t count, float scale, float* x);
void softmax_gradient(std::int64_t rows, std::int64_t count, float scale, const float* y, float* g);
void gelu(const Plane& plane, const float* x, float* y);
void gelu_gradient(const Plane& plane, const float* x, const float* g, bool accumulate, float* to);
void layer_moments(const Columns& of, float epsilon, const float* x, float* mean, float* slope);
void layer_normalise(const Columns& of, const LayerNorm& norm, const float* x, const float* lanes,
                     float* y);
void layer_norm_gradient(const Columns& of, const LayerNorm& norm, const float* x, const float* g,
                         bool accumulate, float* to, float* sums);

}  // namespace gcg::sparse::reference
