#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/network.h"

namespace gcg {

/// In a network without activations and with an input of ones, the path sums away from the border
/// are the same at every position, bit for bit: the same taps in the same order. So a layer only
/// needs to be summed at one of these positions. A squeezed input lacks the rows and columns that
/// repeat their neighbours. If the layer's output on it gets its own rows and columns repeated, it
/// equals the output on the whole input.
struct Squeeze {
  std::vector<std::int64_t> rows;       ///< of the input that are kept, ascending
  std::vector<std::int64_t> columns;    ///< of the input that are kept, ascending
  std::vector<std::int64_t> row_of;     ///< per row of the whole output: its squeezed row
  std::vector<std::int64_t> column_of;  ///< the same for columns

  [[nodiscard]] bool smaller_than(const Shape& input) const {
    return std::ssize(rows) < input.height || std::ssize(columns) < input.width;
  }
};

/// What can be left out for a window that maps `input` [channels][height][width] to `output`.
Squeeze squeeze(std::span<const double> values, const Shape& input, const Shape& output,
                const Window& window);

/// The kept rows and columns of the array [channels][height][width].
std::vector<double> squeezed(std::span<const double> values, const Shape& input,
                             const Squeeze& squeeze);

/// The whole output from the output on a squeezed input, whose shape is `from`.
std::vector<double> expanded(std::span<const double> values, const Shape& from,
                             const Squeeze& squeeze);

}  // namespace gcg
