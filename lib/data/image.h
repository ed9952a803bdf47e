#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gcg {

/// A decoded colour image: pixels [height][width][3] in the order red, green, blue.
struct RgbImage {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint8_t> pixels;
};

/// A rectangle in an image, in pixels; (0, 0) is the upper left corner of the first pixel.
struct Region {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
};

/// Largest number of pixels of an image, so that a forged header cannot exhaust the memory. The
/// largest image of ImageNet has about half as many.
inline constexpr std::int64_t kMostImagePixels = 100'000'000;

/// A decode that has more pixels than this in memory takes turns with every other such decode; of a
/// JPEG file with more, coefficients are packed.
inline constexpr std::int64_t kLargeImagePixels = 16'000'000;

/// An encoded image opened for decoding: JPEG or PNG, recognised by its content, never by its name.
///
/// Pixels equal those of Pillow's convert("RGB"): colour profiles and gamma are ignored, 16 bits
/// are cut to the upper 8, grey becomes three equal values, and four inks (CMYK, YCCK) are taken as
/// stored inverted, with or without Adobe's marker. Unlike Pillow, transparent pixels are laid over
/// white: (colour x alpha + 255 x (255 - alpha)) / 255, rounded. The orientation in EXIF data is
/// ignored too, as the field's loaders do.
///
/// All PNG files are read, and all JPEG files with 8 bits and Huffman coding, sequential or
/// progressive. A missing end marker and extra bytes between segments are accepted; missing or
/// wrong image data are errors.
///
/// Memory: a decode holds the whole image of a PNG file and of a JPEG file of unusual chroma
/// sampling, of other JPEG files what it returns; 3 or 4 bytes a pixel. A JPEG file with several
/// scans (as every progressive one) has its coefficients in memory besides: up to kLargeImagePixels
/// as they are, at most 8 bytes a pixel, beyond it packed, at most 0.7 bytes a pixel and 4 for each
/// byte of the file (packed_blocks.h). A decoder that holds more than kLargeImagePixels waits in
/// decode() for its turn and keeps it as long as it lives: give its pixels back before. So the
/// largest decode takes at most 0.5 GB, and T threads together 0.5 GB + (T - 1) x 0.2 GB, beside
/// the encoded bytes and, with several scans, four times as many.
class ImageDecoder {
 public:
  /// Reads the header. The bytes must outlive the decoder; `where` names them in errors. Errors,
  /// with the byte that was reached: empty, neither JPEG nor PNG, a damaged header, no pixels, or a
  /// valid file of an unsupported kind (JPEG with arithmetic coding, lossless or with 12 bits; more
  /// than kMostImagePixels).
  ImageDecoder(std::span<const std::byte> bytes, std::string where);
  ~ImageDecoder();
  ImageDecoder(const ImageDecoder&) = delete;
  ImageDecoder& operator=(const ImageDecoder&) = delete;

  [[nodiscard]] std::int64_t width() const;
  [[nodiscard]] std::int64_t height() const;

  /// Decodes what is needed to resample `region` to `width` x `height` pixels, at the smallest of
  /// the scales 1, 1/2, 1/4 and 1/8 that still has that many pixels, and returns where the region
  /// lies in `image`. Call it at most once. Errors: a region outside of the image, damaged data.
  Region decode(const Region& region, std::int64_t width, std::int64_t height, RgbImage& image);
  /// Decodes everything at full size: the plain reference of the above. Call it at most once.
  void decode(RgbImage& image);

 private:
  class Jpeg;
  class Png;
  std::string where_;
  std::unique_lock<std::recursive_mutex> turn_;  ///< given back when the memory is
  std::unique_ptr<Jpeg> jpeg_;
  std::unique_ptr<Png> png_;
};

/// Decodes the whole image at full size. What it returns is not held against the turn of large
/// images.
RgbImage decode_image(std::span<const std::byte> bytes, const std::string& where);

/// Throws the Error for a file that may be valid but is of an unsupported kind.
[[noreturn]] void fail_unsupported(const std::string& where, const std::string& problem);

/// Whether the bytes begin as a JPEG file does.
bool is_jpeg(std::span<const std::byte> bytes);

/// Encodes the image as a JPEG file: quality in [1, 100], chroma at half the resolution.
std::vector<std::byte> encode_jpeg(const RgbImage& image, int quality);

/// Encodes the image as a PNG file.
std::vector<std::byte> encode_png(const RgbImage& image);

}  // namespace gcg
