#pragma once

#include <png.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "data/image.h"

namespace gcg {

/// The PNG half of ImageDecoder, on libpng's simplified interface.
class ImageDecoder::Png {
 public:
  Png(std::span<const std::byte> bytes, std::string where);
  ~Png();
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;

  [[nodiscard]] std::int64_t width() const { return info_.width; }
  [[nodiscard]] std::int64_t height() const { return info_.height; }
  void decode(RgbImage& image);

 private:
  [[noreturn]] void fail(const std::string& problem);

  std::string where_;
  png_image info_{};
};

}  // namespace gcg
