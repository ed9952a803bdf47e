#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gcg {

/// A decoded colour image: pixels [height][width][3] of red, green and blue.
struct RgbImage {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint8_t> pixels;
};

/// A rectangle of an image, in pixels; (0, 0) is the upper left corner of the first pixel.
struct Region {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
};

/// Most pixels of an image: a hostile header must not fill the memory. The largest image of
/// ImageNet has half as many.
inline constexpr std::int64_t kMostImagePixels = 100'000'000;

/// An encoded image opened for decoding: JPEG or PNG, told apart by content, never by name.
///
/// Every JPEG of 8 bits with Huffman coding is read: grey, colour, CMYK and YCCK (with Adobe's
/// inverted values too), sequential and progressive. Profiles and EXIF data are passed over, the
/// orientation in them too (the field's loaders ignore it). A missing end marker and superfluous
/// bytes between segments are forgiven; missing or wrong image data are not. Transparent parts of a
/// PNG are black.
class ImageDecoder {
 public:
  /// Reads the header. The bytes must outlive the decoder; `where` names them in errors. Errors,
  /// with the byte that was reached: empty, neither JPEG nor PNG, a damaged header, no pixels or
  /// more than kMostImagePixels.
  ImageDecoder(std::span<const std::byte> bytes, std::string where);
  ~ImageDecoder();
  ImageDecoder(const ImageDecoder&) = delete;
  ImageDecoder& operator=(const ImageDecoder&) = delete;

  [[nodiscard]] std::int64_t width() const;
  [[nodiscard]] std::int64_t height() const;

  /// Decodes what a resampling of `region` to `width` x `height` pixels needs, at the smallest of
  /// the scales 1, 1/2, 1/4 and 1/8 that keeps as many pixels, and returns where the region lies in
  /// `image`. May be called once. Errors: a region outside of the image, damaged data.
  Region decode(const Region& region, std::int64_t width, std::int64_t height, RgbImage& image);
  /// Decodes everything at full size: the plain reference of the above. May be called once.
  void decode(RgbImage& image);

 private:
  class Jpeg;
  class Png;
  std::string where_;
  std::unique_ptr<Jpeg> jpeg_;
  std::unique_ptr<Png> png_;
};

/// The whole image at full size.
RgbImage decode_image(std::span<const std::byte> bytes, const std::string& where);

/// True if the bytes begin as a JPEG file does.
bool is_jpeg(std::span<const std::byte> bytes);

/// A JPEG file of the image: quality in [1, 100], chroma at half the resolution.
std::vector<std::byte> encode_jpeg(const RgbImage& image, int quality);

/// A PNG file of the image.
std::vector<std::byte> encode_png(const RgbImage& image);

}  // namespace gcg
