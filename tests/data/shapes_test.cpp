#include "data/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <set>

#include "base/random.h"

namespace gcg {
namespace {

using Coverage = std::array<float, Canvas::kPositions>;

/// Upright, of this radius in pixels, in the middle of the canvas.
Pose upright(float radius) {
  Pose pose;
  pose.centre_x = pose.centre_y = 15.5F;
  pose.xx = pose.yy = 1 / radius;
  pose.pixels = radius;
  return pose;
}

double area(ShapeKind kind, float radius) {
  const Coverage coverage = shape_coverage(kind, upright(radius));
  return std::accumulate(coverage.begin(), coverage.end(), 0.0);
}

TEST(Shapes, CoverTheAreaOfTheirOutline) {
  const double r = 12;
  const double tolerance = 3;  // square pixels, of up to 452
  EXPECT_NEAR(area(ShapeKind::disc, 12), std::numbers::pi * r * r, tolerance);
  EXPECT_NEAR(area(ShapeKind::ring, 12), std::numbers::pi * (r * r - 6 * 6), tolerance);
  EXPECT_NEAR(area(ShapeKind::square, 12), 1.74 * 1.74 * r * r, tolerance);
  EXPECT_NEAR(area(ShapeKind::frame, 12), (1.74 * 1.74 - 0.94 * 0.94) * r * r, tolerance);
  EXPECT_NEAR(area(ShapeKind::cross, 12), (2 * 2 * 0.6 - 0.6 * 0.6) * r * r, tolerance);
  EXPECT_NEAR(area(ShapeKind::dots, 12), 5 * std::numbers::pi * 0.27 * 0.27 * r * r, tolerance);
  // A regular triangle with an inscribed circle of radius 0.6: 3 sqrt(3) 0.6^2.
  EXPECT_NEAR(area(ShapeKind::triangle, 12), 3 * std::sqrt(3) * 0.36 * r * r, tolerance);
}

TEST(Shapes, CoverageIsSharpUpToOnePixelAtTheOutline) {
  const Coverage coverage = shape_coverage(ShapeKind::square, upright(10));
  for (int y = 0; y < Canvas::kEdge; ++y) {
    for (int x = 0; x < Canvas::kEdge; ++x) {
      const double outside =
          std::max(std::abs(x - 15.5), std::abs(y - 15.5)) - 8.7;  // pixels from the outline
      EXPECT_NEAR(coverage.at(y * 32 + x), std::clamp(0.5 - outside, 0.0, 1.0), 1e-5);
    }
  }
}

TEST(Shapes, MirroredPoseMirrorsTheImage) {
  // The class survives the flip of the augmentation: the mirror image is one of the same kind.
  RandomStream stream(1, "test-poses");
  for (int kind = 0; kind < kShapeKinds; ++kind) {
    for (int trial = 0; trial < 20; ++trial) {
      const auto angle = static_cast<float>(2 * std::numbers::pi * stream.uniform());
      Pose pose = upright(static_cast<float>(4 + 8 * stream.uniform()));
      const float cosine = std::cos(angle);
      const float sine = std::sin(angle);
      pose.xy = sine * pose.yy;
      pose.yx = -sine * pose.xx;
      pose.xx *= cosine;
      pose.yy *= cosine;
      pose.centre_x = static_cast<float>(8 + 16 * stream.uniform());
      Pose mirrored = pose;
      mirrored.centre_x = 31 - pose.centre_x;
      // In the mirror u -> -u: the rotation the other way round.
      mirrored.xy = -pose.xy;
      mirrored.yx = -pose.yx;
      const Coverage image = shape_coverage(static_cast<ShapeKind>(kind), pose);
      const Coverage mirror = shape_coverage(static_cast<ShapeKind>(kind), mirrored);
      for (int y = 0; y < Canvas::kEdge; ++y) {
        for (int x = 0; x < Canvas::kEdge; ++x) {
          ASSERT_NEAR(mirror.at(y * 32 + x), image.at(y * 32 + 31 - x), 1e-4)
              << "shape " << kind << " at " << x << ", " << y;
        }
      }
    }
  }
}

TEST(Shapes, DifferFromOneAnotherInTheSamePose) {
  for (int a = 0; a < kShapeKinds; ++a) {
    for (int b = 0; b < a; ++b) {
      const Coverage first = shape_coverage(static_cast<ShapeKind>(a), upright(10));
      const Coverage second = shape_coverage(static_cast<ShapeKind>(b), upright(10));
      double difference = 0;
      for (std::size_t i = 0; i < first.size(); ++i) {
        difference += std::abs(first[i] - second[i]);
      }
      EXPECT_GT(difference, 50) << "shapes " << a << " and " << b;
    }
  }
}

TEST(Paint, MixesColoursByCoverageAndOpacity) {
  Canvas canvas;
  canvas.values.fill(100);
  Coverage coverage{};
  coverage[3] = 1;
  coverage[4] = 0.5F;
  paint(canvas, coverage, {200, 0, 100}, 0.5F);
  EXPECT_EQ(canvas.values[2], 100);
  EXPECT_EQ(canvas.values[3], 150);
  EXPECT_EQ(canvas.values[4], 125);
  EXPECT_EQ(canvas.values[Canvas::kPositions + 3], 50);
  EXPECT_EQ(canvas.values[2 * Canvas::kPositions + 3], 100);
}

}  // namespace
}  // namespace gcg
