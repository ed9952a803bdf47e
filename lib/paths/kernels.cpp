#include "paths/kernels.h"

#include <array>

namespace gcg {

namespace {

// One body, three instruction sets. Vectors of the compiler's generic kind are split into registers
// as soon as a function is read, so the target must be known there: an attribute on a wrapper that
// inlines the body would come too late. Only multiplication and addition are used, never a fused
// pair.
namespace baseline {
constexpr int kLanes = 2;
constexpr int kSharedRows = 1;
constexpr int kRowTile = 1;
#include "paths/kernels.inc"
}  // namespace baseline

#ifdef __x86_64__
#pragma GCC push_options
#pragma GCC target("avx2")
namespace avx2 {
constexpr int kLanes = 4;
constexpr int kSharedRows = 2;
constexpr int kRowTile = 3;
#include "paths/kernels.inc"
}  // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f")
namespace avx512 {
constexpr int kLanes = 8;
constexpr int kSharedRows = 4;
constexpr int kRowTile = 8;
#include "paths/kernels.inc"
}  // namespace avx512
#pragma GCC pop_options
#else
namespace avx2 = baseline;
namespace avx512 = baseline;
#endif

std::size_t supported_units() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") != 0) {
    return 3;
  }
  if (__builtin_cpu_supports("avx2") != 0) {
    return 2;
  }
#endif
  return 1;
}

}  // namespace

std::span<const VectorUnit> vector_units() {
  static constexpr std::array kUnits{VectorUnit::baseline, VectorUnit::avx2, VectorUnit::avx512};
  static const std::size_t supported = supported_units();
  return std::span(kUnits).first(supported);
}

void sum_taps(const TapRows& taps, const double* in, std::int64_t positions, double* out,
              VectorUnit unit) {
  const auto run = unit == VectorUnit::avx512 ? avx512::sum_taps
                   : unit == VectorUnit::avx2 ? avx2::sum_taps
                                              : baseline::sum_taps;
  run(taps.begin.data(), taps.rows(), taps.offset.data(), taps.factor.data(), in, positions, out);
}

void sum_shared_taps(const SharedTapRows& taps, const double* in, std::int64_t positions,
                     double* out, VectorUnit unit) {
  const auto run = unit == VectorUnit::avx512 ? avx512::sum_shared_taps
                   : unit == VectorUnit::avx2 ? avx2::sum_shared_taps
                                              : baseline::sum_shared_taps;
  run(taps.rows, taps.offset.data(), std::ssize(taps.offset), taps.factor.data(), in, positions,
      out + taps.first * positions, taps.step * positions);
}

void correlate(std::span<const std::uint32_t> offset, const double* in, const PlaneExtent& extent,
               const double* columns, std::int64_t count, double* out, std::int64_t stride,
               VectorUnit unit) {
  const auto run = unit == VectorUnit::avx512 ? avx512::correlate
                   : unit == VectorUnit::avx2 ? avx2::correlate
                                              : baseline::correlate;
  run(offset.data(), std::ssize(offset), in, extent.height, extent.width, extent.pitch, columns,
      count, out, stride);
}

}  // namespace gcg
