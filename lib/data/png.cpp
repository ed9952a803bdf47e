#include "data/png.h"

#include <fmt/format.h>

#include <csetjmp>
#include <cstring>
#include <new>
#include <utility>

#include "base/error.h"

namespace gcg {

namespace {

/// What lies under transparent pixels.
constexpr unsigned kBackground = 255;

/// In place: red, green, blue, alpha become red, green and blue over the background.
void lay_over_background(std::vector<std::uint8_t>& pixels) {
  const std::size_t count = pixels.size() / 4;
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned alpha = pixels[4 * i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      pixels[3 * i + c] = static_cast<std::uint8_t>(
          (pixels[4 * i + c] * alpha + kBackground * (255 - alpha) + 127) / 255);
    }
  }
  pixels.resize(3 * count);
}

}  // namespace

void ImageDecoder::Png::on_error(png_structp png, png_const_charp message) {
  auto* self = static_cast<Png*>(png_get_error_ptr(png));
  std::strncpy(self->message_.data(), message, self->message_.size() - 1);
  png_longjmp(png, 1);
}

void ImageDecoder::Png::on_warning(png_structp, png_const_charp) {}

void ImageDecoder::Png::on_read(png_structp png, png_bytep to, std::size_t size) {
  auto* self = static_cast<Png*>(png_get_io_ptr(png));
  if (size > self->bytes_.size() - self->read_) {
    self->read_ = self->bytes_.size();
    png_error(png, "the file ends too early");
  }
  std::memcpy(to, self->bytes_.data() + self->read_, size);
  self->read_ += size;
}

ImageDecoder::Png::Png(std::span<const std::byte> bytes, std::string where)
    : bytes_(bytes), where_(std::move(where)) {
  png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
  info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
  if (info_ == nullptr) {
    png_destroy_read_struct(&png_, nullptr, nullptr);
    throw std::bad_alloc();
  }
  try {
    if (!read_header()) {
      fail();
    }
    if (width_ * height_ > kMostImagePixels) {
      fail_unsupported(
          where_, fmt::format("{}x{} pixels, more than {}", width_, height_, kMostImagePixels));
    }
  } catch (...) {
    png_destroy_read_struct(&png_, &info_, nullptr);
    throw;
  }
}

ImageDecoder::Png::~Png() { png_destroy_read_struct(&png_, &info_, nullptr); }

void ImageDecoder::Png::fail() {
  throw Error(where_, fmt::format("byte {}: PNG data: {}", read_, message_.data()),
              "the file is damaged: fetch it again, or leave it out");
}

bool ImageDecoder::Png::read_header() {
  if (setjmp(png_jmpbuf(png_)) != 0) {
    return false;
  }
  png_set_read_fn(png_, this, on_read);
  png_set_benign_errors(png_, 1);
  png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // the constructor has its own
  png_read_info(png_, info_);
  width_ = png_get_image_width(png_, info_);
  height_ = png_get_image_height(png_, info_);
  if (width_ * height_ > kMostImagePixels) {
    return true;  // before memory is taken for rows
  }
  // Every kind becomes 8 bits of red, green, blue and, where the file has it, alpha. Nothing is
  // asked of gamma and colours, hence the chunks that speak of them change nothing.
  png_set_expand(png_);
  png_set_strip_16(png_);
  png_set_gray_to_rgb(png_);
  passes_ = png_set_interlace_handling(png_);
  png_read_update_info(png_, info_);
  return true;
}

bool ImageDecoder::Png::read_rows(std::vector<std::uint8_t>& pixels) {
  if (setjmp(png_jmpbuf(png_)) != 0) {
    return false;
  }
  // Row by row: a pointer to every row would be more than the pixels of a narrow image.
  const std::size_t stride = png_get_rowbytes(png_, info_);
  for (int pass = 0; pass < passes_; ++pass) {
    for (std::int64_t y = 0; y < height_; ++y) {
      png_read_row(png_, pixels.data() + static_cast<std::size_t>(y) * stride, nullptr);
    }
  }
  return true;
}

void ImageDecoder::Png::decode(RgbImage& image) {
  image.width = width_;
  image.height = height_;
  const std::size_t channels = png_get_channels(png_, info_);
  image.pixels.resize(channels * static_cast<std::size_t>(width_ * height_));
  if (!read_rows(image.pixels)) {
    fail();
  }
  if (channels == 4) {
    lay_over_background(image.pixels);
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
