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

RgbImage resampled(const RgbImage& image, const Region& region, std::int64_t width,
                   std::int64_t height) {
  RgbImage result{width, height,
                  std::vector<std::uint8_t>(static_cast<std::size_t>(3 * width * height))};
  ResampleScratch scratch;
  resample(image, region, width, height, scratch, [&](std::int64_t y, const float* row) {
    std::uint8_t* to = result.pixels.data() + 3 * y * width;
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        to[3 * x + c] = rounded(row[c * width + x]);
      }
    }
  });
  return result;
}

}  // namespace gcg
