#include "data/image.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/error.h"
#include "data/jpeg.h"
#include "data/png.h"

namespace gcg {

namespace {

template <std::size_t N>
bool begins_with(std::span<const std::byte> bytes, const std::array<unsigned, N>& signature) {
  if (bytes.size() < N) {
    return false;
  }
  for (std::size_t i = 0; i < N; ++i) {
    if (std::to_integer<unsigned>(bytes[i]) != signature[i]) {
      return false;
    }
  }
  return true;
}

bool is_png(std::span<const std::byte> bytes) {
  return begins_with<8>(bytes, {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'});
}

/// Large decodes one at a time: the threads together take the memory of one of them. A thread that
/// has the turn may decode a second image beside the first.
std::unique_lock<std::recursive_mutex> turn_to_hold(std::int64_t pixels) {
  static std::recursive_mutex turn;
  return pixels > kLargeImagePixels ? std::unique_lock(turn)
                                    : std::unique_lock<std::recursive_mutex>();
}

}  // namespace

bool is_jpeg(std::span<const std::byte> bytes) { return begins_with<3>(bytes, {0xFF, 0xD8, 0xFF}); }

void fail_unsupported(const std::string& where, const std::string& problem) {
  throw Error(where, problem,
              "the file may be valid, but its kind is not supported: convert it to a baseline or "
              "progressive JPEG or a PNG of at most 100 million pixels, or leave it out");
}

ImageDecoder::ImageDecoder(std::span<const std::byte> bytes, std::string where)
    : where_(std::move(where)) {
  if (bytes.empty()) {
    throw Error(where_, "byte 0: the file is empty", "fetch it again, or leave it out");
  }
  if (is_jpeg(bytes)) {
    jpeg_ = std::make_unique<Jpeg>(bytes, where_);
  } else if (is_png(bytes)) {
    png_ = std::make_unique<Png>(bytes, where_);
  } else {
    throw Error(where_, "byte 0: neither a JPEG nor a PNG file begins like this",
                "fetch it again, or leave it out");
  }
}

ImageDecoder::~ImageDecoder() = default;

std::int64_t ImageDecoder::width() const { return jpeg_ ? jpeg_->width() : png_->width(); }

std::int64_t ImageDecoder::height() const { return jpeg_ ? jpeg_->height() : png_->height(); }

Region ImageDecoder::decode(const Region& region, std::int64_t width, std::int64_t height,
                            RgbImage& image) {
  const bool inside = region.x >= 0 && region.y >= 0 && region.width > 0 && region.height > 0 &&
                      region.x + region.width <= static_cast<double>(this->width()) &&
                      region.y + region.height <= static_cast<double>(this->height());
  if (!inside || width < 1 || height < 1) {
    throw Error(where_, fmt::format("a region of {}x{} at ({}, {}) of {}x{} pixels as {}x{}",
                                    region.width, region.height, region.x, region.y, this->width(),
                                    this->height(), width, height));
  }
  if (jpeg_) {
    turn_ = turn_to_hold(jpeg_->pixels_held(region, width, height));
    return jpeg_->decode(region, width, height, image);
  }
  turn_ = turn_to_hold(png_->width() * png_->height());
  png_->decode(image);
  return region;
}

void ImageDecoder::decode(RgbImage& image) {
  turn_ = turn_to_hold(width() * height());
  if (jpeg_) {
    jpeg_->decode(image);
  } else {
    png_->decode(image);
  }
}

RgbImage decode_image(std::span<const std::byte> bytes, const std::string& where) {
  RgbImage image;
  ImageDecoder(bytes, where).decode(image);
  return image;
}

}  // namespace gcg
