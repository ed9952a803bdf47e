#include "data/png.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"

namespace gcg {

ImageDecoder::Png::Png(std::span<const std::byte> bytes, std::string where)
    : where_(std::move(where)) {
  info_.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_memory(&info_, bytes.data(), bytes.size()) == 0) {
    fail(info_.message);
  }
  if (width() * height() > kMostImagePixels) {
    fail(fmt::format("{}x{} pixels, more than {}", width(), height(), kMostImagePixels));
  }
}

ImageDecoder::Png::~Png() { png_image_free(&info_); }

/// The library does not say how far it came.
void ImageDecoder::Png::fail(const std::string& problem) {
  png_image_free(&info_);
  throw Error(where_, fmt::format("PNG data: {}", problem),
              "the file is damaged: fetch it again, or leave it out");
}

void ImageDecoder::Png::decode(RgbImage& image) {
  image.width = width();
  image.height = height();
  info_.format = PNG_FORMAT_RGB;
  image.pixels.resize(PNG_IMAGE_SIZE(info_));
  const png_color black{0, 0, 0};
  if (png_image_finish_read(&info_, &black, image.pixels.data(), 0, nullptr) == 0) {
    fail(info_.message);
  }
}

std::vector<std::byte> encode_png(const RgbImage& image) {
  if (image.width < 1 || image.height < 1 ||
      std::ssize(image.pixels) != 3 * image.width * image.height) {
    throw Error("encode_png", fmt::format("an image of {}x{} with {} bytes", image.width,
                                          image.height, image.pixels.size()));
  }
  png_image info{};
  info.version = PNG_IMAGE_VERSION;
  info.width = static_cast<png_uint_32>(image.width);
  info.height = static_cast<png_uint_32>(image.height);
  info.format = PNG_FORMAT_RGB;
  const auto write = [&](void* to, png_alloc_size_t& size) {
    if (png_image_write_to_memory(&info, to, &size, 0, image.pixels.data(), 0, nullptr) == 0) {
      throw Error("encode_png", info.message);
    }
  };
  png_alloc_size_t size = 0;
  write(nullptr, size);
  std::vector<std::byte> file(size);
  write(file.data(), size);
  file.resize(size);
  return file;
}

}  // namespace gcg
