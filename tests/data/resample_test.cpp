#include "data/resample.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "base/every_target.h"
#include "data/encoded.h"
#include "data/files.h"

namespace gcg {
namespace {

using test::error_of;
using ::testing::HasSubstr;

/// By the definition, in double precision: every output a mean over all pixels, weighted by the
/// distance of centres in both axes.
std::vector<double> reference(const RgbImage& image, const Region& region, std::int64_t width,
                              std::int64_t height) {
  const auto weights = [](double begin, double length, std::int64_t outputs, std::int64_t output,
                          std::int64_t pixels) {
    const double step = length / static_cast<double>(outputs);
    std::vector<double> result;
    for (std::int64_t p = 0; p < pixels; ++p) {
      const double distance = std::abs(static_cast<double>(p - output) + 0.5 - begin - 0.5 * step +
                                       static_cast<double>(output) * (1 - step));
      result.push_back(std::max(0.0, 1 - distance / std::max(1.0, step)));
    }
    const double sum = std::accumulate(result.begin(), result.end(), 0.0);
    for (double& weight : result) {
      weight /= sum;
    }
    return result;
  };
  std::vector<double> result(static_cast<std::size_t>(3 * width * height));
  for (std::int64_t y = 0; y < height; ++y) {
    const auto rows = weights(region.y, region.height, height, y, image.height);
    for (std::int64_t x = 0; x < width; ++x) {
      const auto columns = weights(region.x, region.width, width, x, image.width);
      for (std::int64_t c = 0; c < 3; ++c) {
        double sum = 0;
        for (std::int64_t v = 0; v < image.height; ++v) {
          for (std::int64_t u = 0; u < image.width; ++u) {
            sum += rows.at(v) * columns.at(u) * image.pixels.at(3 * (v * image.width + u) + c);
          }
        }
        result.at(c * width * height + y * width + x) = sum;
      }
    }
  }
  return result;
}

/// In single precision, one number after the other, in the order that resample() promises: pairs of
/// rows, then the pixels of a row from left to right.
std::vector<float> plain(const RgbImage& image, const Region& region, std::int64_t width,
                         std::int64_t height) {
  const Filter rows = triangle_filter(region.y, region.height, image.height, height);
  const Filter columns = triangle_filter(region.x, region.width, image.width, width);
  std::vector<float> result(static_cast<std::size_t>(3 * width * height));
  for (std::int64_t y = 0; y < height; ++y) {
    std::vector<float> row(static_cast<std::size_t>(3 * image.width));
    for (std::int64_t i = 0; i < 3 * image.width; ++i) {
      const auto pixel = [&](std::int64_t t) {
        return static_cast<float>(image.pixels.at((rows.first.at(y) + t) * 3 * image.width + i));
      };
      for (std::int64_t t = 0; t < rows.taps; t += 2) {
        const float* weight = &rows.weights.at(y * rows.taps + t);
        row.at(i) += t + 1 < rows.taps ? weight[0] * pixel(t) + weight[1] * pixel(t + 1)
                                       : weight[0] * pixel(t);
      }
    }
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        float sum = 0;
        for (std::int64_t t = 0; t < columns.taps; ++t) {
          sum +=
              columns.weights.at(x * columns.taps + t) * row.at(3 * (columns.first.at(x) + t) + c);
        }
        result.at(c * width * height + y * width + x) = sum;
      }
    }
  }
  return result;
}

std::vector<float> planes(const RgbImage& image, const Region& region, std::int64_t width,
                          std::int64_t height) {
  std::vector<float> result(static_cast<std::size_t>(3 * width * height));
  ResampleScratch scratch;
  resample(image, region, width, height, scratch, [&](std::int64_t y, const float* row) {
    for (std::int64_t c = 0; c < 3; ++c) {
      for (std::int64_t x = 0; x < width; ++x) {
        result.at(c * width * height + y * width + x) = row[c * width + x];
      }
    }
  });
  return result;
}

/// A region of an image of noise, and the size it is resampled to.
struct Trial {
  RgbImage image;
  Region region;
  std::int64_t width = 0;
  std::int64_t height = 0;

  [[nodiscard]] std::string size() const {
    return fmt::format("{}x{} to {}x{}", image.width, image.height, width, height);
  }
};

Trial random_trial(std::mt19937& random) {
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  const std::int64_t width = 1 + below(40);
  const std::int64_t height = 1 + below(30);
  RgbImage image{width, height, {}};
  for (std::int64_t i = 0; i < 3 * width * height; ++i) {
    image.pixels.push_back(static_cast<std::uint8_t>(random()));
  }
  Region region;
  region.x = static_cast<double>(below(1000)) / 1000 * static_cast<double>(width) * 0.9;
  region.y = static_cast<double>(below(1000)) / 1000 * static_cast<double>(height) * 0.9;
  region.width =
      (static_cast<double>(width) - region.x) * (0.1 + static_cast<double>(below(900)) / 1000);
  region.height =
      (static_cast<double>(height) - region.y) * (0.1 + static_cast<double>(below(900)) / 1000);
  const std::int64_t to_width = 1 + below(20);
  const std::int64_t to_height = 1 + below(20);
  return {std::move(image), region, to_width, to_height};
}

TEST(TriangleFilter, WeightsSumToOneAndStayInTheImage) {
  for (const std::int64_t pixels : {1, 2, 5, 40}) {
    for (const std::int64_t outputs : {1, 3, 7, 100}) {
      const Filter filter = triangle_filter(0, static_cast<double>(pixels), pixels, outputs);
      ASSERT_EQ(std::ssize(filter.first), outputs);
      for (std::int64_t i = 0; i < outputs; ++i) {
        EXPECT_GE(filter.first.at(i), 0);
        EXPECT_LE(filter.first.at(i) + filter.taps, pixels);
        const auto begin = filter.weights.begin() + i * filter.taps;
        EXPECT_NEAR(std::accumulate(begin, begin + filter.taps, 0.0), 1, 1e-6);
      }
    }
  }
}

TEST(TriangleFilter, OutsideOfTheImageIsAnError) {
  EXPECT_THAT(error_of([] { triangle_filter(-1, 2, 5, 2); }), HasSubstr("of 5 pixels"));
  EXPECT_THAT(error_of([] { triangle_filter(4, 2, 5, 2); }), HasSubstr("of 5 pixels"));
  EXPECT_THAT(error_of([] { triangle_filter(0, 0, 5, 2); }), HasSubstr("of 5 pixels"));
}

TEST(Resample, ToTheSameSizeChangesNothing) {
  const RgbImage image = test::smooth_image(17, 9);
  EXPECT_EQ(test::difference(resampled(image, {0, 0, 17, 9}, 17, 9), image), 0);
}

TEST(Resample, ByTwoIsTheTriangleOverFourPixels) {
  // Output 0 has its centre between the pixels 0 and 1: weights 3/8, 3/8 and 1/8 over 7/8.
  const RgbImage image{4, 1, {80, 0, 0, 160, 0, 0, 40, 0, 0, 200, 0, 0}};
  const std::vector<float> result = planes(image, {0, 0, 4, 1}, 2, 1);
  EXPECT_NEAR(result[0], (3 * 80 + 3 * 160 + 40) / 7.0, 1e-4);
  EXPECT_NEAR(result[1], (160 + 3 * 40 + 3 * 200) / 7.0, 1e-4);
}

TEST(Resample, IsTheDefinitionOnRandomRegions) {
  std::mt19937 random(11);
  for (int trial = 0; trial < 60; ++trial) {
    const Trial t = random_trial(random);
    const std::vector<float> result = planes(t.image, t.region, t.width, t.height);
    const std::vector<double> expected = reference(t.image, t.region, t.width, t.height);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(result[i], expected[i], 1e-3) << "trial " << trial << ": " << t.size();
    }
  }
}

TEST(Resample, AgreesBitForBitWithThePlainLoopsOnEveryInstructionSet) {
  std::mt19937 random(12);
  for (int trial = 0; trial < 60; ++trial) {
    const Trial t = random_trial(random);
    SCOPED_TRACE(fmt::format("trial {}: {}", trial, t.size()));
    const std::vector<float> expected = plain(t.image, t.region, t.width, t.height);
    on_every_target([&] { EXPECT_EQ(planes(t.image, t.region, t.width, t.height), expected); });
  }
}

}  // namespace
}  // namespace gcg
