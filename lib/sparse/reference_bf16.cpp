#include <bit>
#include <cmath>
#include <limits>

#include "sparse/reference_kernels.h"
#include "sparse/tiles.h"

namespace gcg::sparse::reference {

namespace {

std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }

/// Bits of the bf16 that is nearest, ties to even; a NaN stays one.
std::uint32_t rounded(float value) {
  const std::uint32_t bits = bits_of(value);
  return (std::isnan(value) ? bits | 0x400000U : bits + 0x7fffU + (bits >> 16 & 1U)) >> 16;
}

float even_of(float pair) { return std::bit_cast<float>(bits_of(pair) << 16); }
float odd_of(float pair) { return std::bit_cast<float>(bits_of(pair) & 0xffff0000U); }
float of(float pair, int channel) { return channel == 0 ? even_of(pair) : odd_of(pair); }
float joined(float even, float odd) {
  return std::bit_cast<float>(rounded(odd) << 16 | rounded(even));
}

/// A zero of the same sign for what is below the normal numbers.
float flushed(float value) {
  return std::abs(value) < std::numeric_limits<float>::min() ? std::copysign(0.0F, value) : value;
}

void store(float even, float odd, bool accumulate, const TwoPlanes& to, std::int64_t i) {
  if (to.pairs == nullptr) {
    to.odd[i] = odd;
    to.even[i] = even;
  } else if (accumulate) {
    to.pairs[i] = joined(even_of(to.pairs[i]) + even, odd_of(to.pairs[i]) + odd);
  } else {
    to.pairs[i] = joined(even, odd);
  }
}

}  // namespace

void expand_bf16(const Plane& plane, const float* pairs, float* even, float* odd) {
  for_each(plane, [&](std::int64_t i, std::int64_t) {
    store(even_of(pairs[i]), odd_of(pairs[i]), false, {even, odd, nullptr}, i);
  });
}

void compress_bf16(const Plane& plane, const float* even, const float* odd, bool accumulate,
                   float* pairs) {
  for_each(plane, [&](std::int64_t i, std::int64_t) {
    store(even[i], odd[i], accumulate, {nullptr, nullptr, pairs}, i);
  });
}

void normalise_bf16(const Plane& plane, const ChannelNorm* norms, const float* x,
                    const float* other, bool relu, const float* lanes, const TwoPlanes& y) {
  for_each(plane, [&](std::int64_t i, std::int64_t lane) {
    float values[2];
    for (int c = 0; c < 2; ++c) {
      const float added = other != nullptr ? of(other[i], c) : 0.0F;
      const float value = mapped(norms[c], of(x[i], c));
      const float sum = other != nullptr ? value + added : value;
      values[c] = select(relu ? rectified(sum) : sum, lanes[lane]);
    }
    store(values[0], values[1], false, y, i);
  });
}

void norm_gradient_sums_bf16(const Plane& plane, const ChannelNormGradient* norms, const float* x,
                             const float* output, float* g, GradientSums* sums) {
  if (output != nullptr) {
    for_each(plane, [&](std::int64_t i, std::int64_t) {
      const std::uint32_t even = even_of(output[i]) > 0 ? 0xffffU : 0U;
      const std::uint32_t odd = odd_of(output[i]) > 0 ? 0xffff0000U : 0U;
      g[i] = std::bit_cast<float>(bits_of(g[i]) & (even | odd));
    });
  }
  for (int c = 0; c < 2; ++c) {
    const auto gradient = [&](std::int64_t i) {
      return output != nullptr ? of(g[i], c) : passed(norms[c], of(x[i], c), of(g[i], c));
    };
    sums[c] = {plane_sum(plane, [&](std::int64_t i, std::int64_t,
                                    float so_far) { return so_far + gradient(i); }),
               plane_sum(plane, [&](std::int64_t i, std::int64_t, float so_far) {
                 return std::fma(gradient(i), of(x[i], c) - norms[c].norm.mean, so_far);
               })};
  }
}

void norm_gradient_bf16(const Plane& plane, const ChannelNormGradient* norms, const float* x,
                        const float* g, const float* lanes, bool accumulate, const TwoPlanes& to) {
  for_each(plane, [&](std::int64_t i, std::int64_t lane) {
    float values[2];
    for (int c = 0; c < 2; ++c) {
      const ChannelNormGradient& norm = norms[c];
      const float value =
          std::fma(norm.norm.slope, passed(norm, of(x[i], c), of(g[i], c)),
                   std::fma(norm.centred, of(x[i], c) - norm.norm.mean, norm.constant));
      values[c] = select(value, lanes[lane]);
    }
    store(values[0], values[1], accumulate, to, i);
  });
}

void add_bf16(const Plane& plane, const float* a, const float* b, float* to) {
  for_each(plane, [&](std::int64_t i, std::int64_t) {
    to[i] = joined(even_of(a[i]) + even_of(b[i]), odd_of(a[i]) + odd_of(b[i]));
  });
}

void pair_positions(const float* first, const float* second, float* even, float* odd) {
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    const std::uint32_t a = bits_of(first[lane]);
    const std::uint32_t b = bits_of(second[lane]);
    even[lane] = std::bit_cast<float>(b << 16 | (a & 0xffffU));
    odd[lane] = std::bit_cast<float>((b & 0xffff0000U) | a >> 16);
  }
}

void transpose_tile(const float* from, float* to) {
  for (std::int64_t i = 0; i < kTileFloats; ++i) {
    to[i % kTileSide * kTileSide + i / kTileSide] = from[i];
  }
}

void multiply_tiles(std::int64_t depth, const float* a, const float* b, float* c) {
  for (std::int64_t m = 0; m < kTileSide; ++m) {
    for (std::int64_t n = 0; n < kTileSide; ++n) {
      float sums[2] = {};
      for (std::int64_t k = 0; k < depth; ++k) {
        for (int half = 0; half < 2; ++half) {
          sums[half] = flushed(std::fma(flushed(of(a[m * kTileSide + k], half)),
                                        flushed(of(b[k * kTileSide + n], half)), sums[half]));
        }
      }
      float& to = c[m * kTileSide + n];
      to = flushed(flushed(to) + flushed(sums[0] + sums[1]));
    }
  }
}

}  // namespace gcg::sparse::reference
