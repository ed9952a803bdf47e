// The inner loops of resample(), compiled once for each instruction set. Lanes are independent, and
// products and sums are rounded one by one: every instruction set gives the same bits.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "data/resample_kernels.cpp"
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#endif
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "data/resample.h"

HWY_BEFORE_NAMESPACE();
namespace gcg::detail {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// to (+)= weight_a * a + weight_b * b.
template <bool kAdd>
void weighted_rows(const std::uint8_t* HWY_RESTRICT a, const std::uint8_t* HWY_RESTRICT b,
                   float weight_a, float weight_b, std::int64_t count, float* HWY_RESTRICT to) {
  const hn::CappedTag<float, 16> floats;
  const hn::Rebind<std::int32_t, decltype(floats)> words;
  const hn::Rebind<std::uint8_t, decltype(floats)> bytes;
  constexpr auto kLanes = static_cast<std::int64_t>(hn::MaxLanes(floats));
  const auto product = [&](const std::uint8_t* from, float weight) HWY_ATTR {
    return hn::Mul(hn::Set(floats, weight),
                   hn::ConvertTo(floats, hn::PromoteTo(words, hn::LoadU(bytes, from))));
  };
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    auto mean = hn::Add(product(a + i, weight_a), product(b + i, weight_b));
    if constexpr (kAdd) {
      mean = hn::Add(hn::LoadU(floats, to + i), mean);
    }
    hn::StoreU(mean, floats, to + i);
  }
  for (; i < count; ++i) {
    const float mean = weight_a * static_cast<float>(a[i]) + weight_b * static_cast<float>(b[i]);
    to[i] = kAdd ? to[i] + mean : mean;
  }
}

void mean_of_rows(const RgbImage& image, const Filter& filter, std::int64_t y, std::int64_t column,
                  std::int64_t columns, float* to) {
  const std::int64_t stride = 3 * image.width;
  const float* weight = filter.weights.data() + y * filter.taps;
  const std::uint8_t* row =
      image.pixels.data() + filter.first[static_cast<std::size_t>(y)] * stride + 3 * column;
  // Two rows in one pass over the output; an odd one is taken with itself and weight 0.
  for (std::int64_t t = 0; t < filter.taps; t += 2, row += 2 * stride) {
    const bool pair = t + 1 < filter.taps;
    const std::uint8_t* other = pair ? row + stride : row;
    const float other_weight = pair ? weight[t + 1] : 0;
    if (t == 0) {
      weighted_rows<false>(row, other, weight[t], other_weight, 3 * columns, to);
    } else if (weight[t] != 0 || other_weight != 0) {
      weighted_rows<true>(row, other, weight[t], other_weight, 3 * columns, to);
    }
  }
}

#if HWY_TARGET != HWY_SCALAR

/// A pixel and a value of the next, of one row or of two beside each other.
#if HWY_MAX_BYTES >= 32
inline constexpr std::int64_t kRows = 2;
using Pixels = hn::CappedTag<float, 8>;
inline constexpr Pixels kPixels{};

HWY_INLINE hn::Vec<Pixels> load(const float* row, const float* other) {
  const hn::Half<Pixels> half;
  return hn::Combine(kPixels, hn::LoadU(half, other), hn::LoadU(half, row));
}

HWY_INLINE void store(hn::Vec<Pixels> values, float* to, float* to_other) {
  const hn::Half<Pixels> half;
  hn::StoreU(hn::LowerHalf(half, values), half, to);
  hn::StoreU(hn::UpperHalf(half, values), half, to_other);
}
#else
inline constexpr std::int64_t kRows = 1;
using Pixels = hn::CappedTag<float, 4>;
inline constexpr Pixels kPixels{};

HWY_INLINE hn::Vec<Pixels> load(const float* row, const float* /*other*/) {
  return hn::LoadU(kPixels, row);
}

HWY_INLINE void store(hn::Vec<Pixels> values, float* to, float* /*to_other*/) {
  hn::StoreU(values, kPixels, to);
}
#endif

/// Outputs x to x + 3 of kRows rows, turned from pixels into planes: to [3][outputs].
HWY_INLINE void mean_of_four(const float* row, const float* other, const Filter& filter,
                             std::int64_t column, std::int64_t x, float* to, float* to_other) {
  const std::int64_t taps = filter.taps;
  const auto mean = [&](std::int64_t output) HWY_ATTR {
    const std::int64_t from = 3 * (filter.first[static_cast<std::size_t>(output)] - column);
    const float* weight = filter.weights.data() + output * taps;
    auto sum = hn::Mul(hn::Set(kPixels, weight[0]), load(row + from, other + from));
    for (std::int64_t t = 1; t < taps; ++t) {
      sum = hn::Add(sum, hn::Mul(hn::Set(kPixels, weight[t]),
                                 load(row + from + 3 * t, other + from + 3 * t)));
    }
    return sum;
  };
  const auto a = mean(x);
  const auto b = mean(x + 1);
  const auto c = mean(x + 2);
  const auto d = mean(x + 3);
  // Red and green of a and b, blue of a and b, the same of c and d.
  const hn::Repartition<double, Pixels> pairs;
  const auto ab_low = hn::BitCast(pairs, hn::InterleaveLower(kPixels, a, b));
  const auto ab_high = hn::BitCast(pairs, hn::InterleaveUpper(kPixels, a, b));
  const auto cd_low = hn::BitCast(pairs, hn::InterleaveLower(kPixels, c, d));
  const auto cd_high = hn::BitCast(pairs, hn::InterleaveUpper(kPixels, c, d));
  const auto outputs = std::ssize(filter.first);
  store(hn::BitCast(kPixels, hn::InterleaveLower(pairs, ab_low, cd_low)), to + x, to_other + x);
  store(hn::BitCast(kPixels, hn::InterleaveUpper(pairs, ab_low, cd_low)), to + outputs + x,
        to_other + outputs + x);
  store(hn::BitCast(kPixels, hn::InterleaveLower(pairs, ab_high, cd_high)), to + 2 * outputs + x,
        to_other + 2 * outputs + x);
}

#endif

void mean_of_columns(const float* row, const float* other, const Filter& filter,
                     std::int64_t column, float* to) {
  const auto outputs = std::ssize(filter.first);
  std::int64_t x = 0;
#if HWY_TARGET != HWY_SCALAR
  float* const to_other = to + 3 * outputs;
  for (; x + 4 <= outputs; x += 4) {
    mean_of_four(row, other, filter, column, x, to, to_other);
    if (kRows == 1) {
      mean_of_four(other, other, filter, column, x, to_other, to_other);
    }
  }
#endif
  for (; x < outputs; ++x) {
    const std::int64_t from = 3 * (filter.first[static_cast<std::size_t>(x)] - column);
    const float* weight = filter.weights.data() + x * filter.taps;
    for (std::int64_t p = 0; p < 6; ++p) {
      const float* value = (p < 3 ? row : other) + from + p % 3;
      float sum = weight[0] * value[0];
      for (std::int64_t t = 1; t < filter.taps; ++t) {
        sum += weight[t] * value[3 * t];
      }
      to[p * outputs + x] = sum;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace gcg::detail
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace gcg::detail {

namespace {
HWY_EXPORT(mean_of_rows);
HWY_EXPORT(mean_of_columns);
}  // namespace

void mean_of_rows(const RgbImage& image, const Filter& filter, std::int64_t y, std::int64_t column,
                  std::int64_t columns, float* to) {
  HWY_DYNAMIC_DISPATCH(mean_of_rows)(image, filter, y, column, columns, to);
}

void mean_of_columns(const float* row, const float* other, const Filter& filter,
                     std::int64_t column, float* to) {
  HWY_DYNAMIC_DISPATCH(mean_of_columns)(row, other, filter, column, to);
}

}  // namespace gcg::detail

#endif
