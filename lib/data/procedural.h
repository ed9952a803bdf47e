#pragma once

#include <cstdint>

#include "data/dataset.h"

namespace gcg {

/// The embedded image set: ten classes of 32x32x3 images made of parametrised shapes and textures
/// with random pose, colour, clutter and noise. Needs no download; the same seed gives the same
/// bytes.
struct ProceduralOptions {
  std::int64_t train_images = 4000;
  std::int64_t test_images = 1000;
  double difficulty =
      0.5;  ///< in [0, 1]: scales clutter, noise, pose and colour variation together
  std::uint64_t seed =
      1;  ///< of the images: streams "procedural-train" and "procedural-test", index = image
};

/// Most images of a set: a mistyped count must not fill the memory.
inline constexpr std::int64_t kMostProceduralImages = 1'000'000;

/// Labels are balanced (image i has class i mod 10 before a shuffle by stream "procedural-labels").
DataSet make_procedural(const ProceduralOptions& options);

}  // namespace gcg
