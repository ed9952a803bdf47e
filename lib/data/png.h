#pragma once

#include <png.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/image.h"

namespace gcg {

/// The PNG half of ImageDecoder, on libpng. As in the JPEG half, every call into the library is
/// made from a function without destructors, which an error leaves by longjmp; the Error is thrown
/// after it.
class ImageDecoder::Png {
 public:
  Png(std::span<const std::byte> bytes, std::string where);
  ~Png();
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::int64_t height() const { return height_; }
  void decode(RgbImage& image);

 private:
  bool read_header();
  bool read_rows(std::vector<std::uint8_t>& pixels);
  [[noreturn]] void fail();

  static void on_error(png_structp png, png_const_charp message);
  static void on_warning(png_structp png, png_const_charp message);
  static void on_read(png_structp png, png_bytep to, std::size_t size);

  std::span<const std::byte> bytes_;
  std::string where_;
  std::size_t read_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::int64_t width_ = 0;
  std::int64_t height_ = 0;
  int passes_ = 1;  ///< of an interlaced file: several
  std::array<char, 200> message_{};
};

}  // namespace gcg
