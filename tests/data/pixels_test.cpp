// The pixels of files are those the field's usual reader gives, whatever the file's kind, and a
// part of a file has the pixels of the whole.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>
#include <sstream>

#include "base/file.h"
#include "data/encoded.h"
#include "data/image.h"

namespace gcg {
namespace {

namespace fs = std::filesystem;

/// A line of images/expected.txt, which images/make_images.py writes with Pillow.
struct ExpectedImage {
  std::string name;
  RgbImage image;
};

std::vector<ExpectedImage> expected_images() {
  std::ifstream file(fs::path(GCG_TEST_IMAGES) / "expected.txt");
  std::vector<ExpectedImage> images;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    ExpectedImage expected;
    words >> expected.name >> expected.image.width >> expected.image.height;
    for (int value = 0; words >> value;) {
      expected.image.pixels.push_back(static_cast<std::uint8_t>(value));
    }
    images.push_back(std::move(expected));
  }
  return images;
}

TEST(Pixels, AreThoseOfTheUsualReaderForFilesOfEveryKind) {
  const std::vector<ExpectedImage> images = expected_images();
  ASSERT_GE(images.size(), 30U);
  for (const ExpectedImage& expected : images) {
    const RgbImage found =
        decode_image(read_file(fs::path(GCG_TEST_IMAGES) / expected.name), expected.name);
    EXPECT_EQ(found.width, expected.image.width) << expected.name;
    EXPECT_EQ(found.height, expected.image.height) << expected.name;
    EXPECT_EQ(found.pixels, expected.image.pixels) << expected.name;
  }
}

TEST(Pixels, OfSixteenBitsAreAsBrightAsThoseOfEight) {
  const auto image = [](const char* name) {
    return decode_image(read_file(fs::path(GCG_TEST_IMAGES) / name), name).pixels;
  };
  EXPECT_EQ(image("grey16_half.png"), std::vector<std::uint8_t>(27, 128));
  EXPECT_EQ(image("grey16_half.png"), image("grey8_half.png"));
}

using Sampling = std::vector<std::pair<int, int>>;

/// Every form of three components that the library writes: the least common multiples of the
/// factors are 1 to 4, a component's blocks fit in whole numbers, at most ten blocks together.
std::vector<Sampling> all_samplings() {
  std::vector<Sampling> all;
  std::vector<std::pair<int, int>> factors;
  for (int h = 1; h <= 4; ++h) {
    for (int v = 1; v <= 4; ++v) {
      factors.emplace_back(h, v);
    }
  }
  for (const auto& luma : factors) {
    for (const auto& blue : factors) {
      for (const auto& red : factors) {
        const int blocks =
            luma.first * luma.second + blue.first * blue.second + red.first * red.second;
        const int most_h = std::max({luma.first, blue.first, red.first});
        const int most_v = std::max({luma.second, blue.second, red.second});
        const auto divides = [&](const std::pair<int, int>& f) {
          return most_h % f.first == 0 && most_v % f.second == 0;
        };
        if (blocks <= 10 && divides(luma) && divides(blue) && divides(red)) {
          all.push_back({luma, blue, red});
        }
      }
    }
  }
  return all;
}

std::string text_of(const Sampling& sampling) {
  return fmt::format("{}x{}, {}x{}, {}x{}", sampling[0].first, sampling[0].second,
                     sampling[1].first, sampling[1].second, sampling[2].first, sampling[2].second);
}

/// Colours that change over the image, slowly enough for any sampling.
RgbImage slow_image(std::int64_t width, std::int64_t height) {
  RgbImage image{width, height, {}};
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const double u = static_cast<double>(x) / static_cast<double>(width);
      const double v = static_cast<double>(y) / static_cast<double>(height);
      image.pixels.push_back(static_cast<std::uint8_t>(128 + 90 * std::sin(5 * u)));
      image.pixels.push_back(static_cast<std::uint8_t>(128 + 90 * std::cos(4 * v)));
      image.pixels.push_back(static_cast<std::uint8_t>(128 + 90 * std::sin(3 * (u + v))));
    }
  }
  return image;
}

/// The mean of the pixels of `whole` that a pixel at a scale of 1 : step stands for.
double mean_of(const RgbImage& whole, std::int64_t x, std::int64_t y, std::size_t c,
               std::int64_t step) {
  double sum = 0;
  std::int64_t count = 0;
  for (std::int64_t i = y * step; i < std::min((y + 1) * step, whole.height); ++i) {
    for (std::int64_t j = x * step; j < std::min((x + 1) * step, whole.width); ++j) {
      sum += whole.pixels.at(static_cast<std::size_t>(3 * (i * whole.width + j)) + c);
      ++count;
    }
  }
  return sum / static_cast<double>(count);
}

TEST(Pixels, OfAPartAreThoseOfTheWholeForEverySamplingAndScale) {
  constexpr std::int64_t width = 203;
  constexpr std::int64_t height = 171;
  const RgbImage image = slow_image(width, height);
  const unsigned seed = 20;
  std::mt19937 random(seed);
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  int files = 0;
  for (const Sampling& sampling : all_samplings()) {
    test::JpegKind kind;
    kind.sampling = sampling;
    kind.progressive = files++ % 4 == 3;
    const std::vector<std::byte> file = test::jpeg_file(image, kind);
    const RgbImage whole = decode_image(file, "x");
    // Coarse chroma loses a little of even slow changes.
    EXPECT_LE(test::difference(whole, image), 60) << text_of(sampling);
    for (const std::int64_t step : {1, 2, 4, 8}) {
      for (int trial = 0; trial < 4; ++trial) {
        const std::int64_t w = 16 + below(width - 15);
        const std::int64_t h = 16 + below(height - 15);
        const std::int64_t x = below(width - w + 1);
        const std::int64_t y = below(height - h + 1);
        RgbImage part;
        const Region found = ImageDecoder(file, "x").decode(
            {static_cast<double>(x), static_cast<double>(y), static_cast<double>(w),
             static_cast<double>(h)},
            std::max<std::int64_t>(1, w / step), std::max<std::int64_t>(1, h / step), part);
        // What was decoded is a rectangle of the image at this or a larger scale.
        const auto scale =
            static_cast<std::int64_t>(std::llround(static_cast<double>(w) / found.width));
        const std::int64_t left =
            std::llround((static_cast<double>(x) / static_cast<double>(scale)) - found.x);
        const std::int64_t top =
            std::llround((static_cast<double>(y) / static_cast<double>(scale)) - found.y);
        ASSERT_LE(scale, step);
        const auto first_column = static_cast<std::int64_t>(std::floor(found.x));
        const auto first_row = static_cast<std::int64_t>(std::floor(found.y));
        const auto end_column = static_cast<std::int64_t>(std::ceil(found.x + found.width));
        const auto end_row = static_cast<std::int64_t>(std::ceil(found.y + found.height));
        double most = 0;
        for (std::int64_t row = first_row; row < std::min(end_row, part.height); ++row) {
          for (std::int64_t column = first_column; column < std::min(end_column, part.width);
               ++column) {
            for (std::size_t c = 0; c < 3; ++c) {
              const double value =
                  part.pixels.at(static_cast<std::size_t>(3 * (row * part.width + column)) + c);
              most = std::max(most,
                              std::abs(value - mean_of(whole, left + column, top + row, c, scale)));
            }
          }
        }
        EXPECT_LE(most, scale == 1 ? 0 : 10)
            << text_of(sampling) << ", 1/" << scale << ", " << w << "x" << h << " at (" << x << ", "
            << y << "), progressive " << kind.progressive << ", seed " << seed;
      }
    }
  }
  EXPECT_GE(files, 100);
}

}  // namespace
}  // namespace gcg
