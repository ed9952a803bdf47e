#include "data/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <fstream>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "base/error.h"
#include "data/encoded.h"
#include "data/files.h"

namespace gcg {
namespace {

using test::difference;
using test::error_of;
using test::jpeg_file;
using test::smooth_image;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::byte> cut(std::vector<std::byte> bytes, std::size_t size) {
  bytes.resize(size);
  return bytes;
}

/// A picture full of detail.
RgbImage noisy_image(std::int64_t width, std::int64_t height) {
  std::mt19937 random(7);
  RgbImage image{width, height, {}};
  for (std::int64_t i = 0; i < 3 * width * height; ++i) {
    image.pixels.push_back(static_cast<std::uint8_t>(random()));
  }
  return image;
}

/// The bytes of width and height in the frame header of a JPEG file.
std::size_t frame_sizes(const std::vector<std::byte>& file) {
  for (std::size_t i = 2; i + 9 < file.size(); ++i) {
    if (file[i] == std::byte{0xFF} &&
        (file[i + 1] == std::byte{0xC0} || file[i + 1] == std::byte{0xC2})) {
      return i + 5;
    }
  }
  ADD_FAILURE() << "no frame header";
  return 0;
}

TEST(Jpeg, OfEveryKindIsDecodedToColours) {
  const RgbImage image = smooth_image(37, 29);
  for (const bool progressive : {false, true}) {
    for (const bool full_chroma : {false, true}) {
      test::JpegKind kind;
      kind.progressive = progressive;
      kind.full_chroma = full_chroma;
      EXPECT_LE(difference(decode_image(jpeg_file(image, kind), "x"), image), 9);
    }
  }
}

TEST(Jpeg, WithOneComponentBecomesGrey) {
  RgbImage image{20, 10, {}};
  std::vector<std::uint8_t> grey;
  for (int i = 0; i < 200; ++i) {
    const auto value = static_cast<std::uint8_t>(20 + i);
    grey.push_back(value);
    image.pixels.insert(image.pixels.end(), 3, value);
  }
  test::JpegKind kind;
  kind.colours = JCS_GRAYSCALE;
  EXPECT_LE(difference(decode_image(jpeg_file(20, 10, grey, kind), "x"), image), 6);
}

TEST(Jpeg, WithFourInksHoldsThemInvertedWithAdobesMarkerAndWithout) {
  // 30 % cyan, no magenta, 60 % yellow, 20 % black, written as 255 - ink: what every program writes
  // and what Pillow reads.
  const std::vector<std::uint8_t> ink{77, 0, 153, 51};
  const double light = 204.0 / 255;
  const std::vector<double> expected{178 * light, 255 * light, 102 * light};
  for (const bool adobe : {false, true}) {
    std::vector<std::uint8_t> samples;
    for (int i = 0; i < 16 * 16; ++i) {
      for (const std::uint8_t value : ink) {
        samples.push_back(static_cast<std::uint8_t>(255 - value));
      }
    }
    test::JpegKind kind;
    kind.colours = JCS_CMYK;
    kind.adobe = adobe;
    const RgbImage image = decode_image(jpeg_file(16, 16, samples, kind), "x");
    ASSERT_EQ(image.pixels.size(), 3U * 256);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) {
      ASSERT_NEAR(image.pixels[i], expected[i % 3], 4) << "adobe " << adobe << ", value " << i;
    }
  }
}

TEST(Jpeg, ExifSegmentIsPassedOver) {
  // Orientation 6 (turned by a quarter) is not followed, as in the field's loaders.
  using std::string_view_literals::operator""sv;
  test::JpegKind kind;
  kind.segment = "Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"sv;
  const RgbImage image = smooth_image(31, 17);
  EXPECT_EQ(
      difference(decode_image(jpeg_file(image, kind), "x"), decode_image(jpeg_file(image), "x")),
      0);
}

TEST(Jpeg, WithoutItsEndMarkerIsWhole) {
  const RgbImage image = noisy_image(40, 24);
  for (const bool progressive : {false, true}) {
    test::JpegKind kind;
    kind.progressive = progressive;
    const std::vector<std::byte> file = jpeg_file(image, kind);
    EXPECT_EQ(difference(decode_image(cut(file, file.size() - 2), "x"), decode_image(file, "x")),
              0);
  }
}

TEST(Jpeg, CutAnywhereElseIsAnErrorThatNamesFileAndByte) {
  std::array<test::JpegKind, 3> kinds;
  kinds[1].progressive = true;
  kinds[2].separate_scans = true;
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    const std::vector<std::byte> file = jpeg_file(noisy_image(40, 24), kinds[k]);
    // The last bytes may hold padding bits alone.
    for (std::size_t size = 1; size + 6 < file.size(); ++size) {
      ASSERT_THAT(error_of([&] { decode_image(cut(file, size), "some.JPEG"); }),
                  HasSubstr("some.JPEG: byte "))
          << size << " of " << file.size() << " bytes, kind " << k;
    }
  }
}

TEST(Jpeg, CutInTheMiddleNamesTheEndOfWhatIsThere) {
  const std::vector<std::byte> file = jpeg_file(noisy_image(64, 64));
  const std::size_t half = file.size() / 2;
  EXPECT_THAT(error_of([&] { decode_image(cut(file, half), "x"); }),
              AllOf(HasSubstr("byte " + std::to_string(half)), HasSubstr("remedy")));
}

TEST(Jpeg, OfAbsurdSizeIsAnErrorBeforeMemoryIsTaken) {
  std::vector<std::byte> file = jpeg_file(smooth_image(16, 16));
  const std::size_t at = frame_sizes(file);
  const auto with_sizes = [&](unsigned height, unsigned width) {
    file[at] = static_cast<std::byte>(height >> 8);
    file[at + 1] = static_cast<std::byte>(height & 255);
    file[at + 2] = static_cast<std::byte>(width >> 8);
    file[at + 3] = static_cast<std::byte>(width & 255);
    return error_of([&] { decode_image(file, "x"); });
  };
  EXPECT_THAT(with_sizes(65535, 65535), HasSubstr("x: byte "));
  EXPECT_THAT(with_sizes(65000, 65000), HasSubstr("65000x65000 pixels, more than 100000000"));
  EXPECT_THAT(with_sizes(0, 16), HasSubstr("x: byte "));
  EXPECT_THAT(with_sizes(16, 0), HasSubstr("x: byte "));
}

TEST(Jpeg, OfAKindThatIsNotReadIsNotCalledDamaged) {
  const auto error_with_frame = [](unsigned marker) {
    std::vector<std::byte> file = jpeg_file(smooth_image(16, 16));
    file.at(frame_sizes(file) - 4) = static_cast<std::byte>(marker);
    return error_of([&] { decode_image(file, "x"); });
  };
  const auto not_damaged =
      AllOf(HasSubstr("its kind is not supported"), Not(HasSubstr("is damaged")));
  EXPECT_THAT(error_with_frame(0xC3), not_damaged);  // lossless
  EXPECT_THAT(error_with_frame(0xC3), HasSubstr("Unsupported JPEG process"));
  EXPECT_THAT(error_with_frame(0xC9), AllOf(not_damaged, HasSubstr("arithmetic")));
  std::vector<std::byte> deep = jpeg_file(smooth_image(16, 16));
  deep.at(frame_sizes(deep) - 1) = std::byte{12};
  EXPECT_THAT(error_of([&] { decode_image(deep, "x"); }),
              AllOf(not_damaged, HasSubstr("data precision 12")));
  std::vector<std::byte> large = jpeg_file(smooth_image(16, 16));
  large.at(frame_sizes(large)) = std::byte{0x40};
  large.at(frame_sizes(large) + 2) = std::byte{0x40};
  EXPECT_THAT(error_of([&] { decode_image(large, "x"); }),
              AllOf(not_damaged, HasSubstr("16400x16400 pixels")));
}

TEST(Png, UnderAnyNameIsTakenByItsContent) {
  const RgbImage image = noisy_image(13, 7);
  EXPECT_EQ(difference(decode_image(encode_png(image), "n02105855_2933.JPEG"), image), 0);
}

TEST(Png, CutAnywhereIsAnError) {
  const std::vector<std::byte> file = encode_png(smooth_image(20, 20));
  for (std::size_t size = 1; size + 12 < file.size(); ++size) {
    ASSERT_THAT(error_of([&] { decode_image(cut(file, size), "some.png"); }),
                HasSubstr("some.png: "));
  }
}

TEST(Png, OfAbsurdSizeIsAnError) {
  std::vector<std::byte> file = encode_png(smooth_image(4, 4));
  file[18] = std::byte{0xFF};  // width 65,284
  file[22] = std::byte{0xFF};
  EXPECT_THAT(error_of([&] { decode_image(file, "x"); }),
              AllOf(HasSubstr("x: byte "), HasSubstr("PNG data: ")));
}

TEST(DecodeImage, EmptyAndGarbageAreErrors) {
  EXPECT_THAT(error_of([] { decode_image({}, "here"); }),
              HasSubstr("here: byte 0: the file is empty"));
  const std::vector<std::byte> garbage(100, std::byte{'a'});
  EXPECT_THAT(error_of([&] { decode_image(garbage, "here"); }),
              HasSubstr("here: byte 0: neither a JPEG nor a PNG"));
}

TEST(DecodeRegion, HasThePixelsOfAFullDecode) {
  // Full-size decoding of a part skips rows and columns; what lies in the region is the same.
  const std::vector<std::byte> file = jpeg_file(noisy_image(150, 110));
  const RgbImage whole = decode_image(file, "x");
  std::mt19937 random(3);
  for (int trial = 0; trial < 200; ++trial) {
    const auto below = [&](std::int64_t n) {
      return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
    };
    const std::int64_t x = below(150);
    const std::int64_t y = below(110);
    const std::int64_t w = 1 + below(150 - x);
    const std::int64_t h = 1 + below(110 - y);
    RgbImage part;
    ImageDecoder decoder(file, "x");
    const Region found = decoder.decode({static_cast<double>(x), static_cast<double>(y),
                                         static_cast<double>(w), static_cast<double>(h)},
                                        w, h, part);
    const auto left = static_cast<std::int64_t>(found.x);
    const auto top = static_cast<std::int64_t>(found.y);
    ASSERT_EQ(static_cast<double>(left), found.x);
    for (std::int64_t row = 0; row < h; ++row) {
      for (std::int64_t i = 0; i < 3 * w; ++i) {
        ASSERT_EQ(
            part.pixels.at(static_cast<std::size_t>(3 * ((top + row) * part.width + left) + i)),
            whole.pixels.at(static_cast<std::size_t>(3 * ((y + row) * 150 + x) + i)))
            << w << "x" << h << " at (" << x << ", " << y << "), row " << row;
      }
    }
  }
}

TEST(DecodeRegion, IsScaledWhenFewerPixelsAreWanted) {
  const std::vector<std::byte> file = jpeg_file(smooth_image(161, 121));
  for (const std::int64_t divisor : {1, 2, 4, 8}) {
    RgbImage image;
    ImageDecoder decoder(file, "x");
    const Region region = decoder.decode({0, 0, 161, 121}, 161 / divisor, 121 / divisor, image);
    EXPECT_EQ(image.width, (161 + divisor - 1) / divisor);
    EXPECT_EQ(image.height, (121 + divisor - 1) / divisor);
    EXPECT_DOUBLE_EQ(region.width, 161.0 / static_cast<double>(divisor));
  }
}

/// A JPEG file whose header says 5000 x 4000 pixels: the decoder takes the memory of such an image,
/// then fails at once for want of data.
std::vector<std::byte> large_jpeg(const test::JpegKind& kind) {
  std::vector<std::byte> file = jpeg_file(smooth_image(16, 16), kind);
  const std::size_t at = frame_sizes(file);
  file[at] = std::byte{4000 >> 8};
  file[at + 1] = std::byte{4000 & 255};
  file[at + 2] = std::byte{5000 >> 8};
  file[at + 3] = std::byte{5000 & 255};
  return file;
}

/// A PNG file of 5000 x 4000 pixels.
std::vector<std::byte> large_png() {
  return encode_png({5000, 4000, std::vector<std::uint8_t>(3 * 5000 * 4000, 99)});
}

TEST(ImageDecoder, LargeImagesTakeTurns) {
  const std::vector<std::byte> png = large_png();
  auto turn = std::make_unique<ImageDecoder>(png, "png");
  RgbImage whole;
  turn->decode(whole);
  const auto decode = [](const std::vector<std::byte>& file, std::int64_t edge) {
    return std::async(std::launch::async, [&file, edge] {
      try {
        ImageDecoder decoder(file, "other");
        RgbImage part;
        decoder.decode(
            {0, 0, static_cast<double>(decoder.width()), static_cast<double>(decoder.height())},
            edge, edge, part);
      } catch (const Error&) {
        // What comes of it is the matter of other tests.
      }
    });
  };
  test::JpegKind progressive;
  progressive.progressive = true;
  test::JpegKind unusual;
  unusual.sampling = {{1, 1}, {2, 2}, {1, 4}};
  const std::vector<std::byte> cut_png = cut(png, 200);
  const std::vector<std::byte> sequential = large_jpeg({});
  const std::vector<std::byte> large_progressive = large_jpeg(progressive);
  const std::vector<std::byte> small = jpeg_file(smooth_image(40, 30), progressive);
  // While one large image is held, no other is decoded, of whatever kind ...
  std::vector<std::vector<std::byte>> files{cut_png, large_jpeg(unusual)};
  std::vector<std::future<void>> waiting;
  for (const std::vector<std::byte>& file : files) {
    waiting.push_back(decode(file, 40));
  }
  waiting.push_back(decode(sequential, 4000));
  waiting.push_back(decode(large_progressive, 4000));
  std::this_thread::sleep_for(std::chrono::seconds(1));
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    EXPECT_EQ(waiting[i].wait_for(std::chrono::seconds(0)), std::future_status::timeout) << i;
  }
  // ... but small ones are, and small scales of those whose other pixels need no memory.
  EXPECT_EQ(decode(small, 8).wait_for(std::chrono::minutes(1)), std::future_status::ready);
  EXPECT_EQ(decode(sequential, 40).wait_for(std::chrono::minutes(1)), std::future_status::ready);
  EXPECT_EQ(decode(large_progressive, 40).wait_for(std::chrono::minutes(1)),
            std::future_status::ready);
  turn.reset();
  for (std::future<void>& decoded : waiting) {
    decoded.get();
  }
}

/// 4200 x 4000 pixels: the coefficients of a file with several scans are packed.
RgbImage large_image() {
  RgbImage image = smooth_image(4200, 4000);
  for (std::size_t i = 0; i < image.pixels.size(); i += 997) {
    image.pixels[i] = static_cast<std::uint8_t>(image.pixels[i] ^ (i & 0x7F));
  }
  return image;
}

TEST(ImageDecoder, PackedCoefficientsGiveThePixelsOfASequentialFile) {
  const RgbImage image = large_image();
  for (const bool full_chroma : {false, true}) {
    test::JpegKind sequential;
    sequential.full_chroma = full_chroma;
    test::JpegKind several = sequential;
    (full_chroma ? several.separate_scans : several.progressive) = true;
    const std::vector<std::byte> plain = jpeg_file(image, sequential);
    const std::vector<std::byte> file = jpeg_file(image, several);
    EXPECT_EQ(difference(decode_image(file, "x"), decode_image(plain, "x")), 0);
    for (const std::int64_t edge : {1500, 700, 300, 100}) {
      RgbImage expected;
      RgbImage found;
      ImageDecoder(plain, "x").decode({1301, 907, 1600, 1600}, edge, edge, expected);
      ImageDecoder(file, "x").decode({1301, 907, 1600, 1600}, edge, edge, found);
      EXPECT_EQ(difference(found, expected), 0) << edge;
    }
  }
}

#ifndef GCG_SANITIZED
/// A line of /proc/self/status in bytes.
std::int64_t own_status(const std::string& wanted) {
  std::ifstream file("/proc/self/status");
  for (std::string name, rest; file >> name && std::getline(file, rest);) {
    if (name == wanted) {
      return 1024 * std::stoll(rest);
    }
  }
  return 0;
}

TEST(ImageDecoder, ALargeProgressiveImageTakesMemoryForThePixelsAskedFor) {
  test::JpegKind kind;
  kind.progressive = true;
  kind.full_chroma = true;
  const std::vector<std::byte> file = jpeg_file(large_image(), kind);
  if (!(std::ofstream("/proc/self/clear_refs") << "5" << std::flush)) {
    GTEST_SKIP() << "this system does not reset the peak of memory";
  }
  const std::int64_t before = own_status("VmRSS:");
  RgbImage image;
  ImageDecoder(file, "x").decode({0, 0, 4200, 4000}, 200, 200, image);
  const std::int64_t most = own_status("VmHWM:") - before;
  // libjpeg's arrays alone would take 6 bytes a pixel.
  EXPECT_LT(most, 2 * 4200 * 4000);
}
#endif

TEST(DecodeRegion, OutsideOfTheImageIsAnError) {
  const std::vector<std::byte> file = jpeg_file(smooth_image(20, 10));
  RgbImage image;
  for (const Region region : {Region{-1, 0, 5, 5}, {0, 0, 21, 5}, {0, 6, 5, 5}, {0, 0, 0, 5}}) {
    ImageDecoder decoder(file, "x");
    EXPECT_THAT(error_of([&] { decoder.decode(region, 4, 4, image); }),
                HasSubstr("x: a region of"));
  }
}

TEST(EncodeJpeg, DecodesToNearlyTheSame) {
  const RgbImage image = smooth_image(50, 41);
  EXPECT_LE(difference(decode_image(encode_jpeg(image, 95), "x"), image), 9);
  EXPECT_TRUE(is_jpeg(encode_jpeg(image, 50)));
}

TEST(EncodeJpeg, RejectsSizesAndQualitiesThatDoNotExist) {
  EXPECT_THAT(error_of([] { encode_jpeg({2, 2, {1, 2, 3}}, 90); }), HasSubstr("2x2 with 3 bytes"));
  EXPECT_THAT(error_of([] { encode_jpeg(smooth_image(2, 2), 0); }), HasSubstr("a quality of 0"));
}

}  // namespace
}  // namespace gcg
