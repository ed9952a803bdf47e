#pragma once

#include <cstdint>

#include "data/dataset.h"

namespace gcg {

/// The embedded image set: ten classes of 32x32 colour images of parametrised shapes and textures
/// (data/shapes.h) with random pose, colour, clutter, occlusion and noise. Needs no download.
///
/// The same options give the same bytes on every processor with IEEE 754 arithmetic: pixels need
/// only + - * / and square roots, and the build forbids contracting them (a test pins the bytes).
struct ProceduralOptions {
  std::int64_t train_images = 4000;
  std::int64_t test_images = 1000;
  /// In [0, 1]: scales variation of pose and colour, clutter, occlusion and noise together.
  double difficulty = 0.5;
  /// Seed of the images: streams "procedural-train" and "procedural-test", index = image.
  std::uint64_t seed = 1;
};

/// Largest number of images, so that a mistyped count cannot exhaust the memory.
inline constexpr std::int64_t kMostProceduralImages = 1'000'000;

/// Makes the set. Labels are balanced: image i has class i mod 10 before a shuffle by the stream
/// "procedural-labels", index 0 for training images, 1 for test images. Errors: a count outside of
/// [10, kMostProceduralImages], a difficulty outside of [0, 1].
DataSet make_procedural(const ProceduralOptions& options);

}  // namespace gcg
