#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace gcg {

/// What the ten classes of the procedural image set show, in the order of their labels. A rotated
/// or mirrored image belongs to the same class.
enum class ShapeKind : std::uint8_t {
  disc,
  ring,
  square,
  frame,
  triangle,
  cross,
  stripes,
  checks,
  target,
  dots,
};

inline constexpr int kShapeKinds = 10;

/// Where a shape lies. The pixel offset (dx, dy) from its centre has the shape's own coordinates u
/// = xx dx + xy dy, v = yx dx + yy dy, in which the shape fills the unit disc or square.
struct Pose {
  float centre_x = 0;  ///< pixels; the middle of the first pixel is 0
  float centre_y = 0;
  float xx = 1, xy = 0, yx = 0, yy = 1;
  float pixels = 1;     ///< edge of the unit square in pixels, for anti-aliasing
  float frequency = 3;  ///< bars, cells or rings across the unit disc (stripes, checks, target)
};

/// A colour image before rounding: [channel][row][column], each value in [0, 255].
struct Canvas {
  static constexpr int kEdge = 32;
  static constexpr int kPositions = kEdge * kEdge;
  std::array<float, std::size_t{3} * kPositions> values{};
};

using Colour = std::array<float, 3>;

/// The share of every pixel that the shape covers, in [0, 1], from the signed distance to its
/// outline. Uses only + - * / sqrt floor, which IEEE 754 defines to the bit.
std::array<float, Canvas::kPositions> shape_coverage(ShapeKind kind, const Pose& pose);

/// Mixes in the colour where the shape covers the canvas, with `opacity` in [0, 1].
void paint(Canvas& canvas, const std::array<float, Canvas::kPositions>& coverage,
           const Colour& colour, float opacity);

}  // namespace gcg
