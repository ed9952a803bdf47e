// The kernels in vectors: this file is compiled once for each instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "sparse/kernels.cpp"
// What lies between SSE4 and AVX2, and behind AVX-512, gains nothing here.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#endif
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>
#include <type_traits>

#include "sparse/exponential.h"
#include "sparse/kernels.h"
#include "sparse/tiles.h"

HWY_BEFORE_NAMESPACE();
namespace gcg::sparse {
namespace HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR

namespace hn = hwy::HWY_NAMESPACE;

/// At most a position in a register: a position is kLanes / kStep registers, its slices.
using Floats = hn::CappedTag<float, kLanes>;
using Vector = hn::Vec<Floats>;
inline constexpr Floats kFloats{};
inline constexpr std::int64_t kStep = hn::MaxLanes(Floats());
/// Positions that a kernel holds in registers at once.
inline constexpr int kTile = kStep == kLanes ? 16 : 8;

HWY_INLINE Vector load(const float* from) { return hn::Load(kFloats, from); }
HWY_INLINE void store(Vector value, float* to) { hn::Store(value, kFloats, to); }
/// The processor's own prefetching starts anew with every plane: the next one is asked for while
/// this one is worked on.
HWY_INLINE void fetch(const float* from) { hwy::Prefetch(from); }
/// An address that the compiler has to have in a register: what lies at constant distances from it
/// costs nothing more. Left alone, compilers keep the index of every position of a tile and spill.
HWY_INLINE const float* fixed(const float* from) {
  asm("" : "+r"(from));
  return from;
}

// clang-format off
#include "sparse/gather.inc"
#include "sparse/correlate.inc"
#include "sparse/all_taps.inc"
#include "sparse/norm.inc"
#include "sparse/bf16.inc"
#include "sparse/tile.inc"
// clang-format on
#include "sparse/pool.inc"
#include "sparse/transformer.inc"

const Kernels& table() {
  static const Kernels kTable{hwy::TargetName(HWY_TARGET),
                              HWY_NATIVE_FMA != 0,
                              gather,
                              gather_all,
                              correlate,
                              correlate_all,
                              add_lanes,
                              sum,
                              squares,
                              normalise,
                              norm_gradient_sums,
                              norm_gradient,
                              relu,
                              relu_gradient,
                              add,
                              expand_bf16,
                              compress_bf16,
                              normalise_bf16,
                              norm_gradient_sums_bf16,
                              norm_gradient_bf16,
                              add_bf16,
                              pair_positions,
                              transpose_tile,
                              multiply_tiles,
                              max_pool,
                              max_pool_gradient,
                              average_pool,
                              average_pool_gradient,
                              multiply,
                              softmax,
                              softmax_gradient,
                              gelu,
                              gelu_gradient,
                              layer_moments,
                              layer_normalise,
                              layer_norm_gradient};
  return kTable;
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace gcg::sparse
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace gcg::sparse {

std::vector<const Kernels*> vector_kernels() {
  const std::int64_t supported = hwy::SupportedTargets();
  std::vector<const Kernels*> kernels;
#if HWY_TARGETS & HWY_AVX3
  if ((supported & HWY_AVX3) != 0) {
    kernels.push_back(&N_AVX3::table());
  }
#endif
#if HWY_TARGETS & HWY_AVX2
  if ((supported & HWY_AVX2) != 0) {
    kernels.push_back(&N_AVX2::table());
  }
#endif
#if HWY_TARGETS & HWY_SSE4
  if ((supported & HWY_SSE4) != 0) {
    kernels.push_back(&N_SSE4::table());
  }
#endif
#if HWY_TARGETS & HWY_NEON
  if ((supported & HWY_NEON) != 0) {
    kernels.push_back(&N_NEON::table());
  }
#endif
  return kernels;
}

const Kernels& fastest_kernels() {
  const std::vector<const Kernels*> kernels = vector_kernels();
  return kernels.empty() ? reference_kernels() : *kernels.front();
}

}  // namespace gcg::sparse

#endif
