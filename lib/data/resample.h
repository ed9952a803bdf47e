#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "data/image.h"

namespace gcg {

/// A triangle filter along one axis: bilinear interpolation if it enlarges; if it shrinks, its half
/// width is the step between outputs, so that no pixel is skipped.
struct Filter {
  /// Output i is the weighted mean of the `taps` pixels from first[i] on, all inside the image. All
  /// outputs have the same number of taps, so that loops are regular; some weights may be 0.
  std::int64_t taps = 0;
  std::vector<std::int64_t> first;
  std::vector<float> weights;  ///< [outputs][taps]; each row sums to 1
};

/// The filter from the interval [begin, begin + length) of `pixels` pixels to `outputs` outputs:
/// output i is centred at begin + (i + 1/2) length / outputs. It may use pixels beyond the
/// interval, but none beyond the image. Errors: an interval that is empty or not inside the image.
Filter triangle_filter(double begin, double length, std::int64_t pixels, std::int64_t outputs);

/// Memory that is kept from one resampling to the next.
struct ResampleScratch {
  std::vector<float> values;
};

/// Resamples a region of the image to `width` x `height` pixels and passes each finished row, in
/// order, to `take(y, row)`: floats [3][width] in [0, 255]. The result has the same bits on every
/// processor.
template <typename Take>
void resample(const RgbImage& image, const Region& region, std::int64_t width, std::int64_t height,
              ResampleScratch& scratch, Take take);

/// A value of a resampled image, a mean of levels 0 to 255, as a whole number.
inline std::uint8_t rounded(float value) {
  // Whole before the comparisons: many at a time, where those of floats would be one by one.
  constexpr float half = 0.5F;
  const auto whole = static_cast<std::int16_t>(value + half);
  return static_cast<std::uint8_t>(std::clamp<std::int16_t>(whole, 0, 255));
}

/// The resampled region as an image, rounded to whole numbers.
RgbImage resampled(const RgbImage& image, const Region& region, std::int64_t width,
                   std::int64_t height);

namespace detail {

/// The weighted mean of the rows that output `y` of the filter uses, starting at `column`: `to`
/// [columns][3].
void mean_of_rows(const RgbImage& image, const Filter& filter, std::int64_t y, std::int64_t column,
                  std::int64_t columns, float* to);
/// The weighted means along two rows [columns][3] that start at `column`: `to` [2][3][outputs]. It
/// reads one value, of any content, beyond the end of each row.
void mean_of_columns(const float* row, const float* other, const Filter& filter,
                     std::int64_t column, float* to);

}  // namespace detail

template <typename Take>
void resample(const RgbImage& image, const Region& region, std::int64_t width, std::int64_t height,
              ResampleScratch& scratch, Take take) {
  const Filter rows = triangle_filter(region.y, region.height, image.height, height);
  const Filter columns = triangle_filter(region.x, region.width, image.width, width);
  const std::int64_t column = columns.first.front();
  const std::int64_t count = columns.first.back() + columns.taps - column;
  scratch.values.resize(static_cast<std::size_t>(6 * count + 6 * width));
  float* const row = scratch.values.data();
  float* const other = row + 3 * count;
  float* const finished = other + 3 * count;
  // Two output rows at a time fill eight lanes. An odd last row is paired with itself.
  for (std::int64_t y = 0; y < height; y += 2) {
    detail::mean_of_rows(image, rows, y, column, count, row);
    if (y + 1 < height) {
      detail::mean_of_rows(image, rows, y + 1, column, count, other);
    }
    detail::mean_of_columns(row, y + 1 < height ? other : row, columns, column, finished);
    take(y, static_cast<const float*>(finished));
    if (y + 1 < height) {
      take(y + 1, static_cast<const float*>(finished + 3 * width));
    }
  }
}

}  // namespace gcg
