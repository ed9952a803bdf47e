#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/random.h"
#include "data/image.h"

namespace gcg::testing {

/// Small pictures of noise as PNG files in ImageNet's layout, 10 classes, each of another
/// brightness.
inline void write_picture_folder(const std::filesystem::path& folder) {
  std::uint64_t number = 0;
  const auto write = [&](const std::string& part, int label, int image) {
    RandomStream stream(1, "pictures", number++);
    RgbImage picture{20 + image, 26 - image, {}};
    for (std::int64_t i = 0; i < 3 * picture.width * picture.height; ++i) {
      picture.pixels.push_back(static_cast<std::uint8_t>(stream.below(100) + 15U * label));
    }
    const std::filesystem::path place = folder / part / ("class_" + std::to_string(label));
    std::filesystem::create_directories(place);
    write_file_atomically(place / (std::to_string(image) + ".png"), encode_png(picture));
  };
  for (int label = 0; label < 10; ++label) {
    for (int image = 0; image < 12; ++image) {
      write("train", label, image);
    }
    write("val", label, 0);
  }
}

}  // namespace gcg::testing
