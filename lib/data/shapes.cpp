#include "data/shapes.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/error.h"

namespace gcg {

namespace {

// Signed distances, negative inside, in units of the shape's own coordinates.

float length(float u, float v) { return std::sqrt(u * u + v * v); }

float box(float u, float v, float half_width, float half_height) {
  return std::max(std::abs(u) - half_width, std::abs(v) - half_height);
}

/// A wave of period 1: -1/4 in the middle of the half that is inside, +1/4 in the other.
float wave(float t) { return std::abs(t - std::floor(t) - 0.5F) - 0.25F; }

template <typename Distance>
std::array<float, Canvas::kPositions> cover(const Pose& pose, Distance distance) {
  std::array<float, Canvas::kPositions> coverage;
  for (int y = 0; y < Canvas::kEdge; ++y) {
    const float dy = static_cast<float>(y) - pose.centre_y;
    float* row = coverage.data() + std::ptrdiff_t{y} * Canvas::kEdge;
    for (int x = 0; x < Canvas::kEdge; ++x) {
      const float dx = static_cast<float>(x) - pose.centre_x;
      const float u = pose.xx * dx + pose.xy * dy;
      const float v = pose.yx * dx + pose.yy * dy;
      row[x] = std::clamp(0.5F - distance(u, v) * pose.pixels, 0.0F, 1.0F);
    }
  }
  return coverage;
}

}  // namespace

std::array<float, Canvas::kPositions> shape_coverage(ShapeKind kind, const Pose& pose) {
  const float frequency = pose.frequency;
  switch (kind) {
    case ShapeKind::disc:
      return cover(pose, [](float u, float v) { return length(u, v) - 1; });
    case ShapeKind::ring:
      return cover(pose, [](float u, float v) { return std::abs(length(u, v) - 0.75F) - 0.25F; });
    case ShapeKind::square:
      return cover(pose, [](float u, float v) { return box(u, v, 0.87F, 0.87F); });
    case ShapeKind::frame:
      return cover(pose, [](float u, float v) { return std::abs(box(u, v, 0.67F, 0.67F)) - 0.2F; });
    case ShapeKind::triangle:
      return cover(pose, [](float u, float v) {
        return std::max(0.866F * std::abs(u) + 0.5F * v, -v) - 0.6F;
      });
    case ShapeKind::cross:
      return cover(
          pose, [](float u, float v) { return std::min(box(u, v, 1, 0.3F), box(u, v, 0.3F, 1)); });
    case ShapeKind::stripes:
      return cover(pose, [frequency](float u, float v) {
        return std::max(wave(0.5F * frequency * u) * 2 / frequency, length(u, v) - 1);
      });
    case ShapeKind::checks:
      return cover(pose, [frequency](float u, float v) {
        const float a = wave(0.5F * frequency * u);
        const float b = wave(0.5F * frequency * v);
        const float edge = std::max(std::min(a, b), std::min(-a, -b)) * 2 / frequency;
        return std::max(edge, length(u, v) - 1);
      });
    case ShapeKind::target:
      return cover(pose, [frequency](float u, float v) {
        const float radius = length(u, v);
        return std::max(wave(0.5F * frequency * radius + 0.5F) * 2 / frequency, radius - 1);
      });
    case ShapeKind::dots:
      return cover(pose, [](float u, float v) {
        const float corner = length(std::abs(u) - 0.6F, std::abs(v) - 0.6F);
        return std::min(corner, length(u, v)) - 0.27F;
      });
  }
  throw Error("shape_coverage", "there is no such shape");
}

void paint(Canvas& canvas, const std::array<float, Canvas::kPositions>& coverage,
           const Colour& colour, float opacity) {
  float* plane = canvas.values.data();
  for (const float component : colour) {
    for (int i = 0; i < Canvas::kPositions; ++i) {
      plane[i] += opacity * coverage[static_cast<std::size_t>(i)] * (component - plane[i]);
    }
    plane += Canvas::kPositions;
  }
}

}  // namespace gcg
