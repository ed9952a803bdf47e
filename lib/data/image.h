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
/// Pixels are those of Pillow's convert("RGB"): profiles, gamma and other colour data are passed
/// over, 16 bits are cut to the upper 8, grey becomes three equal values, four inks (CMYK, YCCK)
/// are taken as stored inverted, with Adobe's marker or without. Unlike there, transparent pixels
/// are laid over white: (colour x alpha + 255 x (255 - alpha)) / 255, rounded. The orientation in
/// EXIF data is passed over too (the field's loaders ignore it).
///
/// Every JPEG of 8 bits with Huffman coding is read, sequential and progressive, and every PNG. A
/// missing end marker and superfluous bytes between segments are forgiven; missing or wrong image
/// data are not.
class ImageDecoder {
 public:
  /// Reads the header. The bytes must outlive the decoder; `where` names them in errors. Errors,
  /// with the byte that was reached: empty, neither JPEG nor PNG, a damaged header, no pixels, a
  /// sound file of a kind that is not read (JPEG: arithmetic coding, lossless, 12 bits; more than
  /// kMostImagePixels).
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

/// Throws the Error of a file that is sound, but of a kind that is not read.
[[noreturn]] void fail_unsupported(const std::string& where, const std::string& problem);

/// True if the bytes begin as a JPEG file does.
bool is_jpeg(std::span<const std::byte> bytes);

/// A JPEG file of the image: quality in [1, 100], chroma at half the resolution.
std::vector<std::byte> encode_jpeg(const RgbImage& image, int quality);

/// A PNG file of the image.
std::vector<std::byte> encode_png(const RgbImage& image);

}  // namespace gcg
