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
  filter.taps.reserve(static_cast<std::size_t>(outputs));
  std::vector<double> weights;
  for (std::int64_t i = 0; i < outputs; ++i) {
    const double centre = begin + (static_cast<double>(i) + 0.5) * step;
    // Pixel p has its middle at p + 1/2.
    const auto first =
        std::max<std::int64_t>(0, static_cast<std::int64_t>(std::floor(centre - reach + 0.5)));
    const auto end =
        std::min<std::int64_t>(pixels, static_cast<std::int64_t>(std::ceil(centre + reach - 0.5)));
    weights.clear();
    double sum = 0;
    for (std::int64_t p = first; p < end; ++p) {
      const double distance = std::abs(static_cast<double>(p) + 0.5 - centre);
      weights.push_back(std::max(0.0, 1 - distance / reach));
      sum += weights.back();
    }
    filter.taps.push_back({first, end - first, filter.weights.size()});
    for (const double weight : weights) {
      filter.weights.push_back(static_cast<float>(weight / sum));
    }
  }
  return filter;
}

namespace detail {

namespace {

/// One pixel: four lanes that every processor has.
using Pixel = float __attribute__((vector_size(16), aligned(4), may_alias));

Pixel load(const float* from) { return *reinterpret_cast<const Pixel*>(from); }

// Compiled for AVX2 beside the plain form: lanes are independent and nothing is contracted, so both
// give the same bits. Sanitizers and the loader's choice between clones do not go together.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define GCG_FOR_WIDE_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define GCG_FOR_WIDE_VECTORS
#endif

GCG_FOR_WIDE_VECTORS
void scale_bytes(const std::uint8_t* __restrict from, std::int64_t count, float weight,
                 float* __restrict to) {
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] = weight * static_cast<float>(from[i]);
  }
}

GCG_FOR_WIDE_VECTORS
void add_scaled_bytes(const std::uint8_t* __restrict from, std::int64_t count, float weight,
                      float* __restrict to) {
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] += weight * static_cast<float>(from[i]);
  }
}

}  // namespace

void mean_of_rows(const Image& image, const Taps& taps, std::span<const float> weights,
                  std::int64_t first_column, std::int64_t columns, float* to) {
  const std::uint8_t* row = image.pixels.data() + 4 * (taps.first * image.width + first_column);
  for (std::int64_t i = 0; i < taps.count; ++i, row += 4 * image.width) {
    const float weight = weights[taps.first_weight + static_cast<std::size_t>(i)];
    if (i == 0) {
      scale_bytes(row, 4 * columns, weight, to);
    } else {
      add_scaled_bytes(row, 4 * columns, weight, to);
    }
  }
}

void mean_of_columns(const float* row, std::int64_t first_column, const Filter& filter, float* to) {
  for (const Taps& taps : filter.taps) {
    const float* pixel = row + 4 * (taps.first - first_column);
    const float* weight = filter.weights.data() + taps.first_weight;
    Pixel sum = weight[0] * load(pixel);
    for (std::int64_t i = 1; i < taps.count; ++i) {
      sum += weight[i] * load(pixel + 4 * i);
    }
    *reinterpret_cast<Pixel*>(to) = sum;
    to += 4;
  }
}

}  // namespace detail

Image resampled(const Image& image, const Region& region, std::int64_t width, std::int64_t height) {
  Image result{width, height,
               std::vector<std::uint8_t>(static_cast<std::size_t>(4 * width * height))};
  ResampleScratch scratch;
  resample(image, region, width, height, scratch, [&](std::int64_t y, const float* row) {
    std::uint8_t* to = result.pixels.data() + 4 * y * width;
    for (std::int64_t i = 0; i < 4 * width; ++i) {
      to[i] = static_cast<std::uint8_t>(std::clamp(row[i] + 0.5F, 0.0F, 255.0F));
    }
  });
  return result;
}

}  // namespace gcg
