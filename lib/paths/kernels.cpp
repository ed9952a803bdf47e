// Compiled once for each instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "paths/kernels.cpp"
// What lies between SSE4 and AVX2, and behind AVX-512, gains nothing here.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#endif
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "paths/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace gcg {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Doubles = hn::CappedTag<double, kPositionStep>;
using Vector = hn::Vec<Doubles>;
inline constexpr Doubles kDoubles{};
inline constexpr int kLanes = static_cast<int>(hn::MaxLanes(Doubles()));
/// Rows that are held in registers at once, by how many and how wide these are.
inline constexpr int kSharedRows = kLanes == 8 ? 4 : kLanes == 4 ? 2 : 1;
inline constexpr int kRowTile = kLanes == 8 ? 8 : kLanes == 4 ? 3 : 1;

/// sum + factor * in, both rounded: a fused multiply-add would depend on the instruction set.
HWY_INLINE Vector add_product(Vector sum, Vector factor, const double* in) {
  return hn::Add(sum, hn::Mul(factor, hn::LoadU(kDoubles, in)));
}

template <int R, int N>
HWY_INLINE void clear(Vector (&sum)[R][N]) {
  HWY_UNROLL(8)
  for (int r = 0; r < R; ++r) {
    HWY_UNROLL(8)
    for (int k = 0; k < N; ++k) {
      sum[r][k] = hn::Zero(kDoubles);
    }
  }
}

/// R rows with the same offsets, N vectors of each.
template <int R, int N>
HWY_INLINE void sum_block(const std::uint32_t* offset, std::int64_t taps, const double* factor,
                          const double* in, double* out, std::int64_t out_step) {
  Vector sum[R][N];
  clear(sum);
  for (std::int64_t t = 0; t < taps; ++t) {
    const double* from = in + offset[t];
    HWY_UNROLL(8)
    for (int r = 0; r < R; ++r) {
      const Vector f = hn::Set(kDoubles, factor[r * taps + t]);
      HWY_UNROLL(8)
      for (int k = 0; k < N; ++k) {
        sum[r][k] = add_product(sum[r][k], f, from + k * kLanes);
      }
    }
  }
  HWY_UNROLL(8)
  for (int r = 0; r < R; ++r) {
    HWY_UNROLL(8)
    for (int k = 0; k < N; ++k) {
      hn::StoreU(sum[r][k], kDoubles, out + r * out_step + k * kLanes);
    }
  }
}

/// Positions from `p` on, N vectors at a time, then smaller blocks for the rest.
template <int N>
void sum_positions(const TapRows& taps, const double* in, std::int64_t positions, double* out,
                   std::int64_t p) {
  for (; p + N * kLanes <= positions; p += N * kLanes) {
    for (std::int64_t r = 0; r < taps.rows(); ++r) {
      const std::int64_t begin = taps.begin[r];
      sum_block<1, N>(taps.offset.data() + begin, taps.begin[r + 1] - begin,
                      taps.factor.data() + begin, in + p, out + r * positions + p, 0);
    }
  }
  if constexpr (N > 1) {
    sum_positions<N / 2>(taps, in, positions, out, p);
  }
}

template <int N>
void sum_shared_positions(const SharedTapRows& taps, const double* in, std::int64_t positions,
                          double* out, std::int64_t p) {
  const std::int64_t count = std::ssize(taps.offset);
  const std::int64_t step = taps.step * positions;
  for (; p + N * kLanes <= positions; p += N * kLanes) {
    double* const to = out + taps.first * positions + p;
    std::int64_t r = 0;
    for (; r + kSharedRows <= taps.rows; r += kSharedRows) {
      sum_block<kSharedRows, N>(taps.offset.data(), count, taps.factor.data() + r * count, in + p,
                                to + r * step, step);
    }
    for (; r < taps.rows; ++r) {
      sum_block<1, N>(taps.offset.data(), count, taps.factor.data() + r * count, in + p,
                      to + r * step, step);
    }
  }
  if constexpr (N > 1) {
    sum_shared_positions<N / 2>(taps, in, positions, out, p);
  }
}

void sum_taps(const TapRows& taps, const double* in, std::int64_t positions, double* out) {
  sum_positions<8>(taps, in, positions, out, 0);
}

void sum_shared_taps(const SharedTapRows& taps, const double* in, std::int64_t positions,
                     double* out) {
  sum_shared_positions<4>(taps, in, positions, out, 0);
}

void correlate(std::span<const std::uint32_t> offset, const double* in, const PlaneExtent& extent,
               const double* columns, std::int64_t count, double* out, std::int64_t stride) {
  constexpr int kVectors = kColumnTile / kLanes;
  const std::int64_t rows = std::ssize(offset);
  for (std::int64_t r0 = 0; r0 < rows; r0 += kRowTile) {
    const std::int64_t tile = rows - r0 < kRowTile ? rows - r0 : kRowTile;
    const double* row[kRowTile];
    for (int r = 0; r < kRowTile; ++r) {
      row[r] = in + offset[r0 + (r < tile ? r : tile - 1)];
    }
    Vector sum[kRowTile][kVectors];
    clear(sum);
    const double* column = columns;
    for (std::int64_t y = 0; y < extent.height; ++y) {
      for (std::int64_t p = y * extent.pitch; p < y * extent.pitch + extent.width; ++p) {
        HWY_UNROLL(8)
        for (int r = 0; r < kRowTile; ++r) {
          const Vector f = hn::Set(kDoubles, row[r][p]);
          HWY_UNROLL(8)
          for (int k = 0; k < kVectors; ++k) {
            sum[r][k] = add_product(sum[r][k], f, column + k * kLanes);
          }
        }
        column += kColumnTile;
      }
    }
    for (std::int64_t r = 0; r < tile; ++r) {
      double finished[kColumnTile];
      HWY_UNROLL(8)
      for (int k = 0; k < kVectors; ++k) {
        hn::StoreU(sum[r][k], kDoubles, finished + k * kLanes);
      }
      for (std::int64_t c = 0; c < count; ++c) {
        out[c * stride + r0 + r] = finished[c];
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace gcg
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace gcg {

namespace {
HWY_EXPORT(sum_taps);
HWY_EXPORT(sum_shared_taps);
HWY_EXPORT(correlate);
}  // namespace

void sum_taps(const TapRows& taps, const double* in, std::int64_t positions, double* out) {
  HWY_DYNAMIC_DISPATCH(sum_taps)(taps, in, positions, out);
}

void sum_shared_taps(const SharedTapRows& taps, const double* in, std::int64_t positions,
                     double* out) {
  HWY_DYNAMIC_DISPATCH(sum_shared_taps)(taps, in, positions, out);
}

void correlate(std::span<const std::uint32_t> offset, const double* in, const PlaneExtent& extent,
               const double* columns, std::int64_t count, double* out, std::int64_t stride) {
  HWY_DYNAMIC_DISPATCH(correlate)(offset, in, extent, columns, count, out, stride);
}

}  // namespace gcg

#endif
