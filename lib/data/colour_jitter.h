#pragma once

#include <span>

#include "base/random.h"

namespace gcg {

/// Changes brightness, contrast and saturation of an image, [3][pixels] levels 0 to 255 of red,
/// green and blue, in random order, each by a factor f that is uniform in [1 - strength, 1 +
/// strength]. A level x becomes m + f (x - m), cut to [0, 255]. m: 0 for brightness; for contrast
/// the mean grey of the image; for saturation the grey of the pixel. Grey is 0.299 red + 0.587
/// green + 0.114 blue (ITU-R BT.601). strength: in [0, 1].
void jitter_colours(std::span<float> levels, double strength, RandomStream stream);

}  // namespace gcg
