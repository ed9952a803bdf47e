#include "data/colour_jitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace gcg {
namespace {

using Pixels = std::vector<std::vector<double>>;  // [pixel][3]

double grey(const std::vector<double>& pixel) {
  return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
}

/// One change by its definition: 0 brightness, 1 contrast, 2 saturation.
Pixels changed(const Pixels& image, int what, double factor) {
  double mean = 0;
  for (const auto& pixel : image) {
    mean += grey(pixel) / static_cast<double>(image.size());
  }
  Pixels result;
  for (const auto& pixel : image) {
    const double from = what == 0 ? 0 : what == 1 ? mean : grey(pixel);
    std::vector<double>& to = result.emplace_back();
    for (const double level : pixel) {
      to.push_back(std::clamp(from + factor * (level - from), 0.0, 255.0));
    }
  }
  return result;
}

const Pixels kImage{{10, 200, 30}, {255, 0, 128}, {90, 90, 90}, {0, 0, 0}, {250, 240, 230}};

std::vector<float> planes(const Pixels& image) {
  std::vector<float> levels;
  for (std::size_t c = 0; c < 3; ++c) {
    for (const auto& pixel : image) {
      levels.push_back(static_cast<float>(pixel[c]));
    }
  }
  return levels;
}

TEST(ColourJitter, IsTheThreeChangesByTheirDefinitionsInADrawnOrder) {
  std::set<std::vector<int>> orders;
  for (std::uint64_t i = 0; i < 60; ++i) {
    const RandomStream stream(5, "colour-jitter", i);
    RandomStream draws = stream;
    std::vector<int> order{0, 1, 2};
    draws.shuffle(std::span(order));
    orders.insert(order);
    Pixels expected = kImage;
    for (const int what : order) {
      expected = changed(expected, what, 1 + 0.4 * (2 * draws.uniform() - 1));
    }
    std::vector<float> levels = planes(kImage);
    jitter_colours(levels, 0.4, stream);
    const std::vector<float> reference = planes(expected);
    for (std::size_t p = 0; p < levels.size(); ++p) {
      ASSERT_NEAR(levels[p], reference[p], 1e-3) << i << ", " << p;
    }
  }
  EXPECT_EQ(orders.size(), 6U);
}

TEST(ColourJitter, OfNoStrengthChangesNothing) {
  std::vector<float> levels = planes(kImage);
  jitter_colours(levels, 0, RandomStream(1, "colour-jitter"));
  EXPECT_THAT(levels, ::testing::Pointwise(::testing::FloatNear(1e-3F), planes(kImage)));
}

}  // namespace
}  // namespace gcg
