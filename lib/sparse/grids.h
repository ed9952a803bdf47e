#pragma once

#include <algorithm>
#include <cstdint>

#include "sparse/operations.h"

namespace gcg::sparse {

/// A stripe of the output. Tokens lie side by side: one column for what takes several rows of the
/// grid at a time.
inline Grid output_grid(const LayerPlace& place, Stripe stripe) {
  const std::int64_t stride = place.window.stride * kLanes;
  return {stripe.height(), place.output.shape.width,      stride * place.input.pitch(),
          stride,          place.output.pitch() * kLanes, kLanes};
}

/// The positions of a phase in a stripe of the input: those of its rows `first`, `first` + stride,
/// ... of the plane from `column` on.
struct PhaseGrid {
  std::int64_t row = 0;
  std::int64_t column = 0;
  std::int64_t first = 0;  ///< row of the gradient that belongs to the first row
  Grid grid;
  [[nodiscard]] bool empty() const { return grid.height <= 0 || grid.width <= 0; }
};

inline PhaseGrid phase_grid(const LayerPlace& place, Stripe stripe, std::int64_t phase) {
  const std::int64_t stride = place.window.stride;
  const std::int64_t row = phase / stride;
  const std::int64_t column = phase % stride;
  const auto at_least = [&](std::int64_t rows) {
    return (std::max<std::int64_t>(0, rows - row) + stride - 1) / stride;
  };
  const std::int64_t first = at_least(stripe.top);
  const Layout& to = place.input;
  return {row + first * stride,
          column,
          first,
          {at_least(stripe.bottom) - first, (to.shape.width - column + stride - 1) / stride,
           place.output.pitch() * kLanes, kLanes, stride * to.pitch() * kLanes, stride * kLanes}};
}

}  // namespace gcg::sparse
