#include "paths/kernels.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/every_target.h"
#include "base/random.h"

namespace gcg {
namespace {

std::vector<double> random_values(std::int64_t count, RandomStream& stream) {
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& value : values) {
    value = stream.uniform();
  }
  return values;
}

TEST(PathKernels, SumTapsAgreesBitForBitWithThePlainLoopOnEveryInstructionSet) {
  RandomStream stream(1, "path-kernels-test");
  const std::vector<double> in = random_values(400, stream);
  for (const std::int64_t positions : {8, 16, 24, 40, 56, 64, 72, 120, 128, 200}) {
    TapRows taps;
    taps.begin = {0};
    for (const int count : {0, 1, 7, 50}) {
      for (int t = 0; t < count; ++t) {
        taps.offset.push_back(static_cast<std::uint32_t>(stream.below(200)));
        taps.factor.push_back(stream.uniform());
      }
      taps.begin.push_back(std::ssize(taps.offset));
    }
    std::vector<double> expected;
    for (std::size_t r = 0; r + 1 < taps.begin.size(); ++r) {
      for (std::int64_t p = 0; p < positions; ++p) {
        double sum = 0;
        for (std::int64_t t = taps.begin[r]; t < taps.begin[r + 1]; ++t) {
          sum += taps.factor[t] * in[taps.offset[t] + p];
        }
        expected.push_back(sum);
      }
    }
    SCOPED_TRACE(fmt::format("{} positions", positions));
    on_every_target([&] {
      std::vector<double> out(expected.size(), -1.0);
      sum_taps(taps, in.data(), positions, out.data());
      EXPECT_EQ(out, expected);
    });
  }
}

TEST(PathKernels, SumSharedTapsAgreesBitForBitWithSumTapsOnEveryInstructionSet) {
  RandomStream stream(3, "path-kernels-test");
  const std::vector<double> in = random_values(400, stream);
  for (const std::int64_t positions : {8, 16, 24, 56, 64, 72, 200}) {
    for (const std::int64_t rows : {1, 2, 3, 4, 7, 11}) {
      // Rows 1, 3, 5, ... of the result, a third of the connections absent.
      SharedTapRows shared{1, 2, rows, {}, {}};
      for (int t = 0; t < 20; ++t) {
        shared.offset.push_back(static_cast<std::uint32_t>(stream.below(200)));
      }
      TapRows sparse;
      sparse.begin = {0, 0};
      for (std::int64_t r = 0; r < rows; ++r) {
        for (const std::uint32_t offset : shared.offset) {
          const bool present = stream.uniform() < 0.7;
          shared.factor.push_back(present ? stream.uniform() : 0);
          if (present) {
            sparse.offset.push_back(offset);
            sparse.factor.push_back(shared.factor.back());
          }
        }
        sparse.begin.push_back(std::ssize(sparse.offset));
        sparse.begin.push_back(std::ssize(sparse.offset));
      }
      std::vector<double> expected(static_cast<std::size_t>((2 * rows + 1) * positions));
      sum_taps(sparse, in.data(), positions, expected.data());
      SCOPED_TRACE(fmt::format("{} positions, {} rows", positions, rows));
      on_every_target([&] {
        std::vector<double> out(expected.size(), 0.0);
        sum_shared_taps(shared, in.data(), positions, out.data());
        EXPECT_EQ(out, expected);
      });
    }
  }
}

TEST(PathKernels, CorrelateAgreesBitForBitWithThePlainLoopOnEveryInstructionSet) {
  RandomStream stream(2, "path-kernels-test");
  for (const PlaneExtent extent : {PlaneExtent{1, 1, 1}, {3, 4, 6}, {5, 5, 5}}) {
    const std::vector<double> in = random_values(300, stream);
    const std::vector<double> columns =
        random_values(extent.height * extent.width * kColumnTile, stream);
    for (const std::int64_t rows : {1, 5, 8, 19}) {
      for (const std::int64_t count : {std::int64_t{1}, std::int64_t{10}, kColumnTile}) {
        std::vector<std::uint32_t> offset;
        for (std::int64_t r = 0; r < rows; ++r) {
          offset.push_back(static_cast<std::uint32_t>(stream.below(200)));
        }
        const std::int64_t stride = rows + 2;
        std::vector<double> expected(static_cast<std::size_t>(count * stride), -1.0);
        for (std::int64_t c = 0; c < count; ++c) {
          for (std::int64_t r = 0; r < rows; ++r) {
            double sum = 0;
            for (std::int64_t y = 0; y < extent.height; ++y) {
              for (std::int64_t x = 0; x < extent.width; ++x) {
                sum += in[offset[r] + y * extent.pitch + x] *
                       columns[(y * extent.width + x) * kColumnTile + c];
              }
            }
            expected[c * stride + r] = sum;
          }
        }
        SCOPED_TRACE(fmt::format("{} rows, {} columns", rows, count));
        on_every_target([&] {
          std::vector<double> out(expected.size(), -1.0);
          correlate(offset, in.data(), extent, columns.data(), count, out.data(), stride);
          EXPECT_EQ(out, expected);
        });
      }
    }
  }
}

}  // namespace
}  // namespace gcg
