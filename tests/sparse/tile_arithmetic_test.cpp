// The arithmetic of tiles: that of the processor's instruction in plain C++ and in vectors.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "base/random.h"
#include "sparse/kernels.h"
#include "sparse/tile_convolve.h"

namespace gcg::sparse {
namespace {

using Tile = std::array<Position, kTileSide>;

float* data(Tile& tile) { return tile.front().lanes.data(); }
const float* data(const Tile& tile) { return tile.front().lanes.data(); }
std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }
std::uint32_t bits_at(const Tile& tile, std::int64_t row, std::int64_t column) {
  return bits_of(data(tile)[row * kTileSide + column]);
}
std::vector<std::uint32_t> bits_of(const Tile& tile) {
  std::vector<std::uint32_t> bits;
  std::transform(data(tile), data(tile) + kTileFloats, std::back_inserter(bits),
                 [](float value) { return bits_of(value); });
  return bits;
}

float pair_of(float even, float odd) {
  return std::bit_cast<float>((bits_of(odd) & 0xffff0000U) | bits_of(even) >> 16);
}

Tile tile_of(const std::function<float()>& number) {
  Tile tile;
  std::generate_n(data(tile), kTileFloats, number);
  return tile;
}

/// c += a b for tiles whose only words are a[0][k] = left[k] and b[k][0] = right[k].
float product(const Kernels& kernels, const std::vector<float>& left,
              const std::vector<float>& right, float c) {
  Tile a{};
  Tile b{};
  Tile to{};
  for (std::size_t k = 0; k < left.size(); ++k) {
    a[0].lanes[k] = left[k];
    b[k].lanes[0] = right[k];
  }
  to[0].lanes[0] = c;
  kernels.multiply_tiles(kTileSide, data(a), data(b), data(to));
  return to[0].lanes[0];
}

std::vector<const Kernels*> all_kernels() {
  std::vector<const Kernels*> all = vector_kernels();
  all.push_back(&reference_kernels());
  return all;
}

TEST(TileArithmetic, SumsLowerAndUpperHalvesApartAndAddsBothToTheTileAtLast) {
  const float big = 16777216;  // 2^24: to it a single precision can add 2, but not 1
  for (const Kernels* kernels : all_kernels()) {
    SCOPED_TRACE(kernels->name);
    // 2^24 + 1 + 1 in one sum keeps neither 1; in two sums, one of 2 is added.
    EXPECT_EQ(
        product(*kernels, {pair_of(1, 1), pair_of(0, 1)}, {pair_of(big, 1), pair_of(0, 1)}, 0),
        big + 2);
    EXPECT_EQ(product(*kernels, {pair_of(1, 0), pair_of(1, 0), pair_of(1, 0)},
                      {pair_of(big, 0), pair_of(1, 0), pair_of(1, 0)}, 0),
              big);
    // Products are added to one another before they meet what is there.
    EXPECT_EQ(product(*kernels, {pair_of(1, 1)}, {pair_of(1, 1)}, big), big + 2);
    // 3 is between 2^24 + 2 and 2^24 + 4: the even one is taken.
    EXPECT_EQ(product(*kernels, {pair_of(3, 0)}, {pair_of(1, 0)}, big), big + 4);
    EXPECT_EQ(product(*kernels, {pair_of(1, 0)}, {pair_of(1, 0)}, big), big);
  }
}

TEST(TileArithmetic, TakesForZeroWhatIsBelowTheNormalNumbers) {
  const float least = std::numeric_limits<float>::min();
  const float below = std::bit_cast<float>(0x00400000U);  // half of it, exact in bf16
  const float tiny = std::bit_cast<float>(0x20000000U);   // about 1e-19
  for (const Kernels* kernels : all_kernels()) {
    SCOPED_TRACE(kernels->name);
    EXPECT_EQ(product(*kernels, {pair_of(below, 0)}, {pair_of(1024, 0)}, 0), 0);
    EXPECT_EQ(product(*kernels, {pair_of(1024, 0)}, {pair_of(0, below)}, 1), 1);
    EXPECT_EQ(product(*kernels, {pair_of(least, 0)}, {pair_of(0.5F, 0)}, 0), 0);
    EXPECT_EQ(bits_of(product(*kernels, {pair_of(-tiny, 0)}, {pair_of(tiny * tiny, 0)}, 0)), 0U);
    // Half of the least number twice: each is a zero before they are added.
    EXPECT_EQ(product(*kernels, {pair_of(least, least)}, {pair_of(0.5F, 0.5F)}, 0), 0);
    EXPECT_EQ(product(*kernels, {pair_of(1, 0)}, {pair_of(least, 0)}, below), least);
    EXPECT_EQ(bits_of(product(*kernels, {0.0F}, {0.0F}, -below)), 0U);
  }
}

TEST(TileArithmetic, KeepsWhatIsNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Kernels* kernels : all_kernels()) {
    SCOPED_TRACE(kernels->name);
    EXPECT_EQ(product(*kernels, {pair_of(infinity, 0)}, {pair_of(2, 0)}, 1), infinity);
    EXPECT_TRUE(std::isnan(product(*kernels, {pair_of(infinity, 0)}, {pair_of(0, 0)}, 1)));
    EXPECT_TRUE(std::isnan(product(*kernels, {pair_of(0, nan)}, {pair_of(0, 1)}, 1)));
    EXPECT_TRUE(std::isnan(product(*kernels, {pair_of(1, 0)}, {pair_of(1, 0)}, nan)));
  }
}

TEST(TileArithmetic, GivesTheBitsOfTheReferenceInEveryVectorWithFusedMultiplyAdd) {
  RandomStream stream(1, "tiles");
  for (int i = 0; i < 20; ++i) {
    // Of all sizes, so that some products and sums fall below the normal numbers.
    const int span = i % 2 == 0 ? 4 : 120;
    const auto number = [&] {
      return static_cast<float>(
          std::ldexp(stream.normal(),
                     static_cast<int>(stream.below(static_cast<std::uint64_t>(span))) - span / 2));
    };
    const auto pair = [&] { return pair_of(number(), number()); };
    const Tile a = tile_of(pair);
    const Tile b = tile_of(pair);
    const Tile start = tile_of(number);
    const std::int64_t depth = 1 + static_cast<std::int64_t>(stream.below(kTileSide));
    Tile expected = start;
    reference_kernels().multiply_tiles(depth, data(a), data(b), data(expected));
    for (const Kernels* kernels : vector_kernels()) {
      SCOPED_TRACE(fmt::format("{}, case {}, depth {}", kernels->name, i, depth));
      Tile found = start;
      kernels->multiply_tiles(depth, data(a), data(b), data(found));
      if (kernels->fused) {
        EXPECT_EQ(bits_of(found), bits_of(expected));
      }
    }
  }
}

TEST(TileArithmetic, PairsPositionsAndTransposesLikeTheReference) {
  RandomStream stream(2, "tiles");
  const Tile words = tile_of([&] { return static_cast<float>(stream.normal()); });
  for (const Kernels* kernels : all_kernels()) {
    SCOPED_TRACE(kernels->name);
    Tile turned;
    kernels->transpose_tile(data(words), data(turned));
    Position even;
    Position odd;
    kernels->pair_positions(data(words), data(words) + kTileSide, even.lanes.data(),
                            odd.lanes.data());
    for (std::int64_t i = 0; i < kTileSide; ++i) {
      const std::uint32_t first = bits_at(words, 0, i);
      const std::uint32_t second = bits_at(words, 1, i);
      EXPECT_EQ(bits_of(even.lanes[static_cast<std::size_t>(i)]),
                (second << 16) + (first & 0xffffU));
      EXPECT_EQ(bits_of(odd.lanes[static_cast<std::size_t>(i)]),
                (second & 0xffff0000U) + (first >> 16));
      for (std::int64_t k = 0; k < kTileSide; ++k) {
        EXPECT_EQ(bits_at(turned, i, k), bits_at(words, k, i));
      }
    }
  }
}

}  // namespace
}  // namespace gcg::sparse
