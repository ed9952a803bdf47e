#include "data/resample.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace gcg {

Filter triangle_filter(double begin, double length, std::int64_t pixels, std::int64_t outputs) {
  if (!(begin >= 0 && length > 0 && begin + length <= static_cast<double>(pixels) + 1e-6) ||
      outputs < 1) {
    throw Error("triangle_filter", fmt::format("{} outputs from [{}, {}) of {} pixels", outputs,
                                               begin, begin + length, pixels));
  }
  const double step = length / static_cast<double>(outputs);
  const double reach = std::max(step, 1.0);
  Filter filter;
  filter.taps = std::min(pixels, static_cast<std::int64_t>(std::ceil(2 * reach)));
  filter.first.reserve(static_cast<std::size_t>(outputs));
  filter.weights.reserve(static_cast<std::size_t>(outputs * filter.taps));
  std::vector<double> weights(static_cast<std::size_t>(filter.taps));
  for (std::int64_t i = 0; i < outputs; ++i) {
    const double centre = begin + (static_cast<double>(i) + 0.5) * step;
    // Pixel p has its middle at p + 1/2.
    const auto first = std::clamp<std::int64_t>(
        static_cast<std::int64_t>(std::floor(centre - reach + 0.5)), 0, pixels - filter.taps);
    double sum = 0;
    for (std::int64_t t = 0; t < filter.taps; ++t) {
      const double distance = std::abs(static_cast<double>(first + t) + 0.5 - centre);
      weights[static_cast<std::size_t>(t)] = std::max(0.0, 1 - distance / reach);
      sum += weights[static_cast<std::size_t>(t)];
    }
    filter.first.push_back(first);
    for (const double weight : weights) {
      filter.weights.push_back(static_cast<float>(weight / sum));
    }
  }
  return filter;
}

namespace detail {

namespace {

// Compiled for AVX2 beside the plain form: lanes are independent and nothing is contracted, so both
// give the same bits. Sanitizers and the choice between clones at start do not go together.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define GCG_FOR_WIDE_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define GCG_FOR_WIDE_VECTORS
#endif

GCG_FOR_WIDE_VECTORS
void set_mean(const std::uint8_t* __restrict a, const std::uint8_t* __restrict b, float weight_a,
              float weight_b, std::int64_t count, float* __restrict to) {
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] = weight_a * static_cast<float>(a[i]) + weight_b * static_cast<float>(b[i]);
  }
}

GCG_FOR_WIDE_VECTORS
void add_mean(const std::uint8_t* __restrict a, const std::uint8_t* __restrict b, float weight_a,
              float weight_b, std::int64_t count, float* __restrict to) {
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] += weight_a * static_cast<float>(a[i]) + weight_b * static_cast<float>(b[i]);
  }
}

/// A pixel and a value of the next, and one each of two rows.
using Pixel = float __attribute__((vector_size(16), aligned(4), may_alias));
using Pair = float __attribute__((vector_size(32)));
using Lanes = int __attribute__((vector_size(32)));

}  // namespace

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
      set_mean(row, other, weight[t], other_weight, 3 * columns, to);
    } else if (weight[t] != 0 || other_weight != 0) {
      add_mean(row, other, weight[t], other_weight, 3 * columns, to);
    }
  }
}

#define GCG_PAIR(x)                                                                              \
  __builtin_shufflevector(*reinterpret_cast<const Pixel*>(row + 3 * (x)),                        \
                          *reinterpret_cast<const Pixel*>(other + 3 * (x)), 0, 1, 2, 3, 4, 5, 6, \
                          7)

GCG_FOR_WIDE_VECTORS
void mean_of_columns(const float* row, const float* other, const Filter& filter,
                     std::int64_t column, float* to) {
  const auto outputs = std::ssize(filter.first);
  const std::int64_t taps = filter.taps;
  const float* weight = filter.weights.data();
  const std::int64_t* first = filter.first.data();
  std::int64_t x = 0;
  // Four outputs of two rows at once, turned from pixels into planes.
  for (; x + 4 <= outputs; x += 4, weight += 4 * taps) {
    const std::int64_t a = first[x] - column;
    const std::int64_t b = first[x + 1] - column;
    const std::int64_t c = first[x + 2] - column;
    const std::int64_t d = first[x + 3] - column;
    Pair sum_a = weight[0] * GCG_PAIR(a);
    Pair sum_b = weight[taps] * GCG_PAIR(b);
    Pair sum_c = weight[2 * taps] * GCG_PAIR(c);
    Pair sum_d = weight[3 * taps] * GCG_PAIR(d);
    for (std::int64_t t = 1; t < taps; ++t) {
      sum_a += weight[t] * GCG_PAIR(a + t);
      sum_b += weight[taps + t] * GCG_PAIR(b + t);
      sum_c += weight[2 * taps + t] * GCG_PAIR(c + t);
      sum_d += weight[3 * taps + t] * GCG_PAIR(d + t);
    }
    // Red and green of a and b, blue of a and b, the same of c and d; row by row.
    const Lanes low{0, 8, 1, 9, 4, 12, 5, 13};
    const Lanes high{2, 10, 3, 11, 6, 14, 7, 15};
    const Pair ab_low = __builtin_shuffle(sum_a, sum_b, low);
    const Pair ab_high = __builtin_shuffle(sum_a, sum_b, high);
    const Pair cd_low = __builtin_shuffle(sum_c, sum_d, low);
    const Pair cd_high = __builtin_shuffle(sum_c, sum_d, high);
    const Lanes front{0, 1, 8, 9, 4, 5, 12, 13};
    const Lanes back{2, 3, 10, 11, 6, 7, 14, 15};
    const Pair planes[3] = {__builtin_shuffle(ab_low, cd_low, front),
                            __builtin_shuffle(ab_low, cd_low, back),
                            __builtin_shuffle(ab_high, cd_high, front)};
    for (std::int64_t p = 0; p < 3; ++p) {
      float* plane = to + p * outputs + x;
      *reinterpret_cast<Pixel*>(plane) = __builtin_shufflevector(planes[p], planes[p], 0, 1, 2, 3);
      *reinterpret_cast<Pixel*>(plane + 3 * outputs) =
          __builtin_shufflevector(planes[p], planes[p], 4, 5, 6, 7);
    }
  }
  for (; x < outputs; ++x, weight += taps) {
    Pair sum = weight[0] * GCG_PAIR(first[x] - column);
    for (std::int64_t t = 1; t < taps; ++t) {
      sum += weight[t] * GCG_PAIR(first[x] - column + t);
    }
    for (std::int64_t p = 0; p < 3; ++p) {
      to[p * outputs + x] = sum[p];
      to[(3 + p) * outputs + x] = sum[4 + p];
    }
  }
}

}  // namespace detail

RgbImage resampled(const RgbImage& image, const Region& region, std::int64_t width,
                   std::int64_t height) {
  RgbImage result{width, height,
                  std::vector<std::uint8_t>(static_cast<std::size_t>(3 * width * height))};
  ResampleScratch scratch;
  resample(image, region, width, height, scratch, [&](std::int64_t y, const float* row) {
    std::uint8_t* to = result.pixels.data() + 3 * y * width;
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        to[3 * x + c] =
            static_cast<std::uint8_t>(std::clamp(row[c * width + x] + 0.5F, 0.0F, 255.0F));
      }
    }
  });
  return result;
}

}  // namespace gcg
