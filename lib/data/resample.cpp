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

/// One pixel: four lanes that every processor has.
using Pixel = float __attribute__((vector_size(16), aligned(4), may_alias));
using Lanes = int __attribute__((vector_size(16)));

Pixel load(const float* from) { return *reinterpret_cast<const Pixel*>(from); }
void store(Pixel value, float* to) { *reinterpret_cast<Pixel*>(to) = value; }

Pixel mean_of_pixels(const float* pixel, const float* weight, std::int64_t taps) {
  Pixel sum = weight[0] * load(pixel);
  for (std::int64_t t = 1; t < taps; ++t) {
    sum += weight[t] * load(pixel + 4 * t);
  }
  return sum;
}

}  // namespace

void mean_of_rows(const Image& image, const Filter& filter, std::int64_t y, std::int64_t column,
                  std::int64_t columns, float* to) {
  const std::int64_t stride = 4 * image.width;
  const float* weight = filter.weights.data() + y * filter.taps;
  const std::uint8_t* row =
      image.pixels.data() + filter.first[static_cast<std::size_t>(y)] * stride + 4 * column;
  // Two rows in one pass over the output; an odd one is taken with itself and weight 0.
  for (std::int64_t t = 0; t < filter.taps; t += 2, row += 2 * stride) {
    const bool pair = t + 1 < filter.taps;
    const std::uint8_t* other = pair ? row + stride : row;
    const float other_weight = pair ? weight[t + 1] : 0;
    if (t == 0) {
      set_mean(row, other, weight[t], other_weight, 4 * columns, to);
    } else if (weight[t] != 0 || other_weight != 0) {
      add_mean(row, other, weight[t], other_weight, 4 * columns, to);
    }
  }
}

void mean_of_columns(const float* row, const Filter& filter, std::int64_t column, float* to) {
  const auto outputs = std::ssize(filter.first);
  const std::int64_t taps = filter.taps;
  const auto pixel = [&](std::int64_t i) {
    return row + 4 * (filter.first[static_cast<std::size_t>(i)] - column);
  };
  const float* weight = filter.weights.data();
  std::int64_t x = 0;
  // Four outputs at once, turned from pixels into planes.
  for (; x + 4 <= outputs; x += 4, weight += 4 * taps) {
    const Pixel a = mean_of_pixels(pixel(x), weight, taps);
    const Pixel b = mean_of_pixels(pixel(x + 1), weight + taps, taps);
    const Pixel c = mean_of_pixels(pixel(x + 2), weight + 2 * taps, taps);
    const Pixel d = mean_of_pixels(pixel(x + 3), weight + 3 * taps, taps);
    const Pixel ab_low = __builtin_shuffle(a, b, Lanes{0, 4, 1, 5});
    const Pixel ab_high = __builtin_shuffle(a, b, Lanes{2, 6, 3, 7});
    const Pixel cd_low = __builtin_shuffle(c, d, Lanes{0, 4, 1, 5});
    const Pixel cd_high = __builtin_shuffle(c, d, Lanes{2, 6, 3, 7});
    store(__builtin_shuffle(ab_low, cd_low, Lanes{0, 1, 4, 5}), to + x);
    store(__builtin_shuffle(ab_low, cd_low, Lanes{2, 3, 6, 7}), to + outputs + x);
    store(__builtin_shuffle(ab_high, cd_high, Lanes{0, 1, 4, 5}), to + 2 * outputs + x);
  }
  for (; x < outputs; ++x, weight += taps) {
    const Pixel mean = mean_of_pixels(pixel(x), weight, taps);
    for (std::int64_t c = 0; c < 3; ++c) {
      to[c * outputs + x] = mean[c];
    }
  }
}

}  // namespace detail

Image resampled(const Image& image, const Region& region, std::int64_t width, std::int64_t height) {
  Image result{width, height,
               std::vector<std::uint8_t>(static_cast<std::size_t>(4 * width * height))};
  ResampleScratch scratch;
  resample(image, region, width, height, scratch, [&](std::int64_t y, const float* row) {
    std::uint8_t* to = result.pixels.data() + 4 * y * width;
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        to[4 * x + c] =
            static_cast<std::uint8_t>(std::clamp(row[c * width + x] + 0.5F, 0.0F, 255.0F));
      }
    }
  });
  return result;
}

}  // namespace gcg
