#include "data/packed_blocks.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/random.h"

namespace {

using gcg::PackedBlocks;
using gcg::RandomStream;

constexpr JDIMENSION kWidth = 5;
constexpr JDIMENSION kRows = 7;

TEST(PackedBlocks, AreAllZeroAtFirst) {
  PackedBlocks blocks(kWidth, kRows);
  const JBLOCKARRAY rows = blocks.unpack(2, 3, false);
  for (JDIMENSION r = 0; r < 3; ++r) {
    for (JDIMENSION b = 0; b < kWidth; ++b) {
      for (const JCOEF value : rows[r][b]) {
        EXPECT_EQ(value, 0);
      }
    }
  }
  EXPECT_EQ(blocks.bytes(), 0U);
}

TEST(PackedBlocks, TakeEightBytesABlockAndOneOrThreeAValue) {
  PackedBlocks blocks(kWidth, kRows);
  const JBLOCKARRAY row = blocks.unpack(3, 1, true);
  row[0][0][0] = -127;
  row[0][0][63] = 127;
  row[0][4][17] = -128;
  row[0][4][18] = 128;
  blocks.unpack(0, 1, false);
  EXPECT_EQ(blocks.bytes(), kWidth * 8U + 2 * 1U + 2 * 3U);
}

TEST(PackedBlocks, ForgetWhatIsWrittenToRowsAskedForToBeRead) {
  PackedBlocks blocks(kWidth, kRows);
  blocks.unpack(0, 1, false)[0][0][5] = 9;
  EXPECT_EQ(blocks.unpack(0, 1, false)[0][0][5], 0);
}

TEST(PackedBlocks, KeepEveryValueAsAPlainArrayDoes) {
  constexpr std::array<int, 9> kValues{0, 1, -1, 127, 128, -127, -128, 32767, -32768};
  std::vector<JCOEF> plain(std::size_t{DCTSIZE2} * kWidth * kRows, 0);
  PackedBlocks blocks(kWidth, kRows);
  const RandomStream streams(7, "packed-blocks");
  for (std::uint64_t turn = 0; turn < 400; ++turn) {
    RandomStream stream = streams.at(turn);
    const auto first = static_cast<JDIMENSION>(stream.below(kRows));
    const auto count = static_cast<JDIMENSION>(1 + stream.below(kRows - first));
    const bool writable = stream.below(2) == 1;
    const JBLOCKARRAY rows = blocks.unpack(first, count, writable);
    for (JDIMENSION r = 0; r < count; ++r) {
      for (JDIMENSION b = 0; b < kWidth; ++b) {
        for (unsigned i = 0; i < DCTSIZE2; ++i) {
          JCOEF& value = plain.at(DCTSIZE2 * (std::size_t{kWidth} * (first + r) + b) + i);
          ASSERT_EQ(rows[r][b][i], value) << "turn " << turn << " row " << first + r;
          if (writable && stream.below(8) == 0) {
            value = static_cast<JCOEF>(kValues.at(stream.below(kValues.size())));
            rows[r][b][i] = value;
          }
        }
      }
    }
  }
}

}  // namespace
