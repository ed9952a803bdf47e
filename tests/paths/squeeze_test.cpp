#include "paths/squeeze.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace gcg {
namespace {

using ::testing::ElementsAre;

/// Sums of all taps of a window, channel by channel, each with a weight of its own.
std::vector<double> window_sums(const std::vector<double>& values, const Shape& input,
                                const Shape& output, const Window& window) {
  std::vector<double> result;
  for (std::int64_t c = 0; c < input.channels; ++c) {
    for (std::int64_t y = 0; y < output.height; ++y) {
      for (std::int64_t x = 0; x < output.width; ++x) {
        double sum = 0;
        for (std::int64_t ky = 0; ky < window.height; ++ky) {
          for (std::int64_t kx = 0; kx < window.width; ++kx) {
            const std::int64_t iy = y * window.stride + ky - window.padding;
            const std::int64_t ix = x * window.stride + kx - window.padding;
            if (iy >= 0 && iy < input.height && ix >= 0 && ix < input.width) {
              sum += static_cast<double>(1 + 7 * ky + kx) *
                     values[static_cast<std::size_t>((c * input.height + iy) * input.width + ix)];
            }
          }
        }
        result.push_back(sum);
      }
    }
  }
  return result;
}

Shape output_of(const Shape& input, const Window& window) {
  return {input.channels, (input.height + 2 * window.padding - window.height) / window.stride + 1,
          (input.width + 2 * window.padding - window.width) / window.stride + 1};
}

TEST(Squeeze, KeepsOneOfTheOutputsThatAreTheSame) {
  // Eight equal columns, a kernel of 3 and padding of 1: the first and the last output see padding.
  const Shape shape{1, 1, 8};
  const std::vector<double> ones(8, 1.0);
  const Squeeze found = squeeze(ones, shape, {1, 1, 8}, {1, 3, 1, 1});
  EXPECT_TRUE(found.smaller_than(shape));
  EXPECT_THAT(found.columns, ElementsAre(0, 1, 2));
  EXPECT_THAT(found.column_of, ElementsAre(0, 1, 1, 1, 1, 1, 1, 2));
}

TEST(Squeeze, NothingIsLeftOutWhereNeighboursDiffer) {
  const Shape shape{2, 3, 4};
  std::vector<double> values(24);
  for (std::size_t k = 0; k < values.size(); ++k) {
    values[k] = static_cast<double>(k);
  }
  EXPECT_FALSE(squeeze(values, shape, shape, {3, 3, 1, 1}).smaller_than(shape));
}

TEST(Squeeze, ALayerOnTheSqueezedInputGivesTheWholeOutput) {
  RandomStream stream(20261122, "squeeze-test");
  const auto draw = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(stream.uniform() * static_cast<double>(high - low + 1));
  };
  int smaller = 0;
  for (int round = 0; round < 500; ++round) {
    SCOPED_TRACE(fmt::format("seed 20261122, round {}", round));
    const Window window{draw(1, 4), draw(1, 4), draw(1, 3), draw(0, 2)};
    const Shape input{draw(1, 3), draw(4, 20), draw(4, 20)};
    const Shape output = output_of(input, window);
    // Blocks of equal rows and columns, of other sizes every time.
    std::vector<std::int64_t> row(static_cast<std::size_t>(input.height), 0);
    std::vector<std::int64_t> column(static_cast<std::size_t>(input.width), 0);
    for (std::vector<std::int64_t>* block : {&row, &column}) {
      for (std::size_t k = 1; k < block->size(); ++k) {
        (*block)[k] = (*block)[k - 1] + (stream.uniform() < 0.15 ? 1 : 0);
      }
    }
    std::vector<double> values;
    for (std::int64_t c = 0; c < input.channels; ++c) {
      for (const std::int64_t y : row) {
        for (const std::int64_t x : column) {
          values.push_back(static_cast<double>(1 + c + 3 * y + 50 * x));
        }
      }
    }
    const Squeeze found = squeeze(values, input, output, window);
    const Shape small{input.channels, std::ssize(found.rows), std::ssize(found.columns)};
    smaller += found.smaller_than(input) ? 1 : 0;
    const Shape small_output = output_of(small, window);
    EXPECT_EQ(expanded(window_sums(squeezed(values, input, found), small, small_output, window),
                       small_output, found),
              window_sums(values, input, output, window));
  }
  EXPECT_GT(smaller, 100);
}

}  // namespace
}  // namespace gcg
