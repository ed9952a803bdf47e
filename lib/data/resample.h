#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/image.h"

namespace gcg {

/// The pixels that one output row or column is a weighted mean of: `weights[first_weight + i]` of
/// pixel `first + i`, i below `count`.
struct Taps {
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::size_t first_weight = 0;
};

/// A triangle filter along one axis: bilinear interpolation where it enlarges, as wide as the step
/// of the output where it shrinks, so that no pixel is skipped. Weights sum to 1.
struct Filter {
  std::vector<Taps> taps;
  std::vector<float> weights;
};

/// The filter from the stretch [begin, begin + length) of `pixels` pixels to `outputs` outputs:
/// output i has its centre at begin + (i + 1/2) length / outputs. Beyond the stretch it looks at
/// the pixels there are, beyond the image at none. Errors: a stretch without a pixel.
Filter triangle_filter(double begin, double length, std::int64_t pixels, std::int64_t outputs);

/// Memory of a resampling that is kept from one to the next.
struct ResampleScratch {
  std::vector<float> row;
};

/// Resamples a region of the image to `width` x `height` pixels, rows first, and hands each
/// finished row to `take(y, row)`: row [width][4] floats in [0, 255], the fourth one unused. The
/// same bits on every processor.
template <typename Take>
void resample(const Image& image, const Region& region, std::int64_t width, std::int64_t height,
              ResampleScratch& scratch, Take take);

/// The region as an image of its own, rounded to whole numbers.
Image resampled(const Image& image, const Region& region, std::int64_t width, std::int64_t height);

namespace detail {

/// The weighted mean of image rows: `to` [image.width][4].
void mean_of_rows(const Image& image, const Taps& taps, std::span<const float> weights,
                  std::int64_t first_column, std::int64_t columns, float* to);
/// The weighted means along one row: `to` [filter.taps][4]; `row` begins at column `first_column`.
void mean_of_columns(const float* row, std::int64_t first_column, const Filter& filter, float* to);

}  // namespace detail

template <typename Take>
void resample(const Image& image, const Region& region, std::int64_t width, std::int64_t height,
              ResampleScratch& scratch, Take take) {
  const Filter rows = triangle_filter(region.y, region.height, image.height, height);
  const Filter columns = triangle_filter(region.x, region.width, image.width, width);
  const std::int64_t first = columns.taps.front().first;
  const std::int64_t count = columns.taps.back().first + columns.taps.back().count - first;
  scratch.row.resize(static_cast<std::size_t>(4 * (count + width)));
  float* const tall = scratch.row.data();
  float* const finished = tall + 4 * count;
  for (std::int64_t y = 0; y < height; ++y) {
    detail::mean_of_rows(image, rows.taps[static_cast<std::size_t>(y)], rows.weights, first, count,
                         tall);
    detail::mean_of_columns(tall, first, columns, finished);
    take(y, static_cast<const float*>(finished));
  }
}

}  // namespace gcg
