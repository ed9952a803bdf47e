#include "paths/squeeze.h"

#include <algorithm>

#include "base/index.h"

namespace gcg {

namespace {

/// One direction of a window.
struct Direction {
  std::int64_t input = 0, output = 0;  ///< positions
  std::int64_t kernel = 1, stride = 1, padding = 0;
};

/// Two neighbouring outputs are the same if every input that either reads is the same and none is
/// padding. Of the inputs behind the first output's window as many are left out as the outputs that
/// repeat it have moved on. `same[i]`: input i + 1 repeats input i.
void squeeze_direction(const Direction& of, const std::vector<bool>& same,
                       std::vector<std::int64_t>& kept, std::vector<std::int64_t>& output_of) {
  std::vector<std::int64_t> run(at(of.input), 0);  // inputs behind i that all repeat it
  for (std::int64_t i = of.input - 1; i-- > 0;) {
    run[at(i)] = same[at(i)] ? run[at(i + 1)] + 1 : 0;
  }
  std::vector<bool> keep(at(of.input), true);
  output_of.assign(at(of.output), 0);
  for (std::int64_t o = 1; o < of.output; ++o) {
    const std::int64_t first = (o - 1) * of.stride - of.padding;
    const bool repeats =
        first >= 0 && first < of.input && run[at(first)] >= of.kernel + of.stride - 1;
    output_of[at(o)] = output_of[at(o - 1)] + (repeats ? 0 : 1);
    if (repeats) {
      const auto begin = keep.begin() + first + of.kernel;
      std::fill(begin, begin + of.stride, false);
    }
  }
  kept.clear();
  for (std::int64_t i = 0; i < of.input; ++i) {
    if (keep[at(i)]) {
      kept.push_back(i);
    }
  }
}

}  // namespace

Squeeze squeeze(std::span<const double> values, const Shape& input, const Shape& output,
                const Window& window) {
  Squeeze result;
  const auto row = [&](std::int64_t c, std::int64_t y) {
    return values.data() + (c * input.height + y) * input.width;
  };
  std::vector<bool> same(at(input.height), false);
  for (std::int64_t y = 0; y + 1 < input.height; ++y) {
    bool equal = true;
    for (std::int64_t c = 0; c < input.channels && equal; ++c) {
      equal = std::equal(row(c, y), row(c, y) + input.width, row(c, y + 1));
    }
    same[at(y)] = equal;
  }
  squeeze_direction({input.height, output.height, window.height, window.stride, window.padding},
                    same, result.rows, result.row_of);
  same.assign(at(input.width), false);
  for (std::int64_t x = 0; x + 1 < input.width; ++x) {
    bool equal = true;
    for (std::int64_t c = 0; c < input.channels && equal; ++c) {
      for (const std::int64_t y : result.rows) {
        equal = equal && row(c, y)[x] == row(c, y)[x + 1];
      }
    }
    same[at(x)] = equal;
  }
  squeeze_direction({input.width, output.width, window.width, window.stride, window.padding}, same,
                    result.columns, result.column_of);
  return result;
}

std::vector<double> squeezed(std::span<const double> values, const Shape& input,
                             const Squeeze& squeeze) {
  std::vector<double> result;
  result.reserve(at(input.channels) * squeeze.rows.size() * squeeze.columns.size());
  for (std::int64_t c = 0; c < input.channels; ++c) {
    for (const std::int64_t y : squeeze.rows) {
      for (const std::int64_t x : squeeze.columns) {
        result.push_back(values[at((c * input.height + y) * input.width + x)]);
      }
    }
  }
  return result;
}

std::vector<double> expanded(std::span<const double> values, const Shape& from,
                             const Squeeze& squeeze) {
  std::vector<double> result;
  result.reserve(at(from.channels) * squeeze.row_of.size() * squeeze.column_of.size());
  for (std::int64_t c = 0; c < from.channels; ++c) {
    for (const std::int64_t y : squeeze.row_of) {
      for (const std::int64_t x : squeeze.column_of) {
        result.push_back(values[at((c * from.height + y) * from.width + x)]);
      }
    }
  }
  return result;
}

}  // namespace gcg
