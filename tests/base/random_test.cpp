#include "base/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include "base/throws.h"

namespace gcg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::uint32_t> first(RandomStream stream, int count) {
  std::vector<std::uint32_t> values;
  for (int i = 0; i < count; ++i) {
    values.push_back(stream.next_u32());
  }
  return values;
}

// The known-answer vectors of Random123, the reference implementation of the generator's authors.
TEST(Philox, KnownAnswers) {
  EXPECT_THAT(philox4x32({0, 0, 0, 0}, {0, 0}),
              ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  EXPECT_THAT(
      philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
      ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(
      philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
      ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

// Pinned: a change would silently make every stored run irreproducible. The values come from an
// independent implementation: key = first 8 bytes of SHA-256("gcg stream" + seed as 8 bytes +
// name), counter = (block, index), both little-endian.
TEST(RandomStream, FirstValuesArePinned) {
  EXPECT_THAT(first(RandomStream(1, "test", 0), 12),
              ElementsAre(0x5255d368, 0xcbae9c1f, 0xfe362983, 0xf0461fcf, 0x6fac44cd, 0x8dc15055,
                          0x4f66b53c, 0x23342a68, 0xb73e14c6, 0x2995aab4, 0x0ae797c9, 0x7d3684c5));
  EXPECT_THAT(first(RandomStream(1, "test", 7), 4),
              ElementsAre(0x674843f8, 0xa52ad3db, 0x8488cbbc, 0x2dbb0f7e));
  EXPECT_THAT(first(RandomStream(1, "test", stream_index(5, 3)), 4),
              ElementsAre(0xe678dfa8, 0x9b043633, 0x803df28e, 0x53362b29));
  EXPECT_THAT(first(RandomStream(2, "test"), 4),
              ElementsAre(0x7f7f9640, 0x600f24f7, 0x2fd1aa64, 0x4a0caf7e));
  EXPECT_THAT(first(RandomStream(1, "tesu"), 4),
              ElementsAre(0x99f5424b, 0x6bfe9322, 0x9e0abbb5, 0x80a4bd1e));
}

TEST(RandomStream, DerivedValuesFollowTheirFormulas) {
  EXPECT_EQ(RandomStream(1, "test").next_u64(), 0xcbae9c1f5255d368);
  EXPECT_EQ(RandomStream(1, "test").uniform(), 0.7956330849140933);
  EXPECT_EQ(RandomStream(1, "test").uniform_open(), 0.7956330849140935);
  EXPECT_DOUBLE_EQ(RandomStream(1, "test").normal(), 0.6264446240402606);
}

TEST(RandomStream, AtStartsAnotherIndexAnewWhateverWasDrawn) {
  RandomStream stream(1, "test", 0);
  stream.next_u32();
  stream.normal();
  EXPECT_EQ(first(stream.at(7), 4), first(RandomStream(1, "test", 7), 4));
  EXPECT_EQ(first(stream.at(0), 4), first(RandomStream(1, "test", 0), 4));
}

TEST(RandomStream, ACopyContinuesWhereTheOriginalStands) {
  RandomStream stream(1, "test");
  stream.next_u32();
  RandomStream copy = stream;
  EXPECT_EQ(first(copy, 8), first(stream, 8));
}

TEST(RandomStream, BelowStaysBelowAndHitsEveryValueAsOften) {
  RandomStream stream(3, "test");
  std::vector<int> counts(7, 0);
  constexpr int draws = 70000;
  for (int i = 0; i < draws; ++i) {
    const std::uint64_t value = stream.below(7);
    ASSERT_LT(value, 7U);
    ++counts[value];
  }
  double chi_squared = 0;
  for (const int count : counts) {
    chi_squared += std::pow(count - 10000.0, 2) / 10000.0;
  }
  EXPECT_LT(chi_squared, 22.46);  // the 0.999 quantile at 6 degrees of freedom
}

// Plain "draw % bound" would hit the lower half of this range twice as often as the upper one.
TEST(RandomStream, BelowIsUnbiasedForBoundsNearTheWordSize) {
  constexpr std::uint64_t bound = 0xC000000000000000;
  RandomStream stream(4, "test");
  int low = 0;
  constexpr int draws = 20000;
  for (int i = 0; i < draws; ++i) {
    low += stream.below(bound) < 0x4000000000000000 ? 1 : 0;
  }
  EXPECT_NEAR(low / static_cast<double>(draws), 1.0 / 3, 0.015);  // biased: 1 / 2
}

TEST(RandomStream, BelowOneIsZeroAndBelowZeroIsAnError) {
  RandomStream stream(1, "test");
  EXPECT_EQ(stream.below(1), 0U);
  GCG_EXPECT_ERROR(stream.below(0), HasSubstr("RandomStream::below: the bound is 0"));
}

TEST(RandomStream, UniformValuesFillTheirInterval) {
  RandomStream stream(5, "test");
  double sum = 0;
  constexpr int draws = 100000;
  for (int i = 0; i < draws; ++i) {
    const double half_open = stream.uniform();
    ASSERT_GE(half_open, 0);
    ASSERT_LT(half_open, 1);
    const double open = stream.uniform_open();
    ASSERT_GT(open, 0);
    ASSERT_LT(open, 1);
    sum += half_open + open;
  }
  EXPECT_NEAR(sum / (2 * draws), 0.5, 0.005);
}

TEST(RandomStream, NormalsHaveTheirMoments) {
  RandomStream stream(6, "test");
  constexpr int draws = 100000;
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  for (int i = 0; i < draws; ++i) {
    const double x = stream.normal();
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  EXPECT_NEAR(sum / draws, 0, 0.02);
  EXPECT_NEAR(squares / draws, 1, 0.03);
  EXPECT_NEAR(fourth / draws, 3, 0.2);
}

TEST(RandomStream, ShuffleIsAPermutationAndEveryOneIsAsLikely) {
  RandomStream stream(7, "test");
  std::map<std::vector<int>, int> counts;
  constexpr int draws = 24000;
  for (int i = 0; i < draws; ++i) {
    std::vector<int> values{0, 1, 2, 3};
    stream.shuffle(std::span(values));
    ++counts[values];
  }
  ASSERT_EQ(counts.size(), 24U);
  for (const auto& [values, count] : counts) {
    EXPECT_TRUE(std::is_permutation(values.begin(), values.end(), std::vector{0, 1, 2, 3}.begin()));
    EXPECT_NEAR(count, 1000, 150) << ::testing::PrintToString(values);
  }
}

TEST(StreamIndex, TakesTwoNumbersOf32Bits) {
  EXPECT_EQ(stream_index(5, 3), 0x0000000500000003U);
  EXPECT_EQ(stream_index(0xffffffff, 0xffffffff), 0xffffffffffffffffU);
  GCG_EXPECT_ERROR(stream_index(std::uint64_t{1} << 32, 0), HasSubstr("does not fit 32 bits"));
  GCG_EXPECT_ERROR(stream_index(0, std::uint64_t{1} << 32), HasSubstr("does not fit 32 bits"));
}

}  // namespace
}  // namespace gcg
