#include "topology/mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "base/random.h"
#include "base/throws.h"
#include "graph/networks.h"
#include "topology/mask_literals.h"

namespace gcg {
namespace {

using testing::present_of;
using testing::with;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StrEq;

Network two_layers() {
  NetworkBuilder net("two", {10, 1, 1});
  net.linear("fc2", net.linear("fc1", 0, 7), 3);
  return net.finish();
}

TEST(LayerMask, AllPresentSetsNoBitBehindTheEnd) {
  for (const std::int64_t size : {0, 1, 63, 64, 65, 128, 130}) {
    SCOPED_TRACE(size);
    const LayerMask all(size, true);
    EXPECT_EQ(all.count(), size);
    EXPECT_EQ(std::ssize(all.words()), (size + 63) / 64);
    EXPECT_EQ(LayerMask(size, {all.words().begin(), all.words().end()}), all);
    EXPECT_EQ(LayerMask(size).count(), 0);
  }
}

TEST(LayerMask, BitIOfTheLayerIsBitIModulo64OfWordIOver64) {
  const LayerMask mask = with(130, {0, 63, 64, 129});
  EXPECT_THAT(mask.words(), ElementsAre((std::uint64_t{1} << 63) | 1, 1, 2));
  EXPECT_THAT(present_of(mask), ElementsAre(0, 63, 64, 129));
  EXPECT_TRUE(mask.test(63));
  EXPECT_FALSE(mask.test(62));
}

TEST(LayerMask, ResetUndoesSet) {
  LayerMask mask = with(100, {5, 70});
  mask.reset(70);
  mask.reset(71);
  EXPECT_EQ(mask, with(100, {5}));
}

TEST(LayerMask, AgreesWithASetUnderRandomChanges) {
  constexpr std::uint64_t seed = 11;
  SCOPED_TRACE(seed);
  RandomStream stream(seed, "test");
  LayerMask mask(200);
  std::set<std::int64_t> expected;
  for (int change = 0; change < 2000; ++change) {
    const auto i = static_cast<std::int64_t>(stream.below(200));
    if (stream.below(2) == 0) {
      mask.set(i);
      expected.insert(i);
    } else {
      mask.reset(i);
      expected.erase(i);
    }
    ASSERT_EQ(mask.count(), std::ssize(expected));
  }
  EXPECT_EQ(present_of(mask), std::vector<std::int64_t>(expected.begin(), expected.end()));
}

TEST(LayerMask, RefusesStoredWordsThatDoNotFit) {
  GCG_EXPECT_ERROR(LayerMask(65, std::vector<std::uint64_t>{0}),
                   StrEq("mask: 1 words do not hold 65 connections"));
  GCG_EXPECT_ERROR(LayerMask(64, std::vector<std::uint64_t>{0, 0}),
                   HasSubstr("2 words do not hold 64"));
  GCG_EXPECT_ERROR(LayerMask(65, std::vector<std::uint64_t>{0, 2}),
                   StrEq("mask: a bit after connection 65 is set"));
  EXPECT_EQ(LayerMask(65, std::vector<std::uint64_t>{0, 1}).count(), 1);
}

TEST(LayerMask, RefusesANegativeNumberOfConnections) {
  GCG_EXPECT_ERROR(LayerMask(-1, std::vector<std::uint64_t>{}), StrEq("mask: -1 connections"));
}

TEST(Mask, CountsPerLayerAndInAll) {
  const Network network = two_layers();
  Mask mask(network, false);
  EXPECT_EQ(mask.connections(), 91);
  EXPECT_EQ(mask.density(), 0);
  mask.layers[0].set(3);
  mask.layers[0].set(69);
  mask.layers[1].set(20);
  EXPECT_EQ(mask.present(), 3);
  EXPECT_THAT(mask.counts(), ElementsAre(2, 1));
  EXPECT_EQ(mask.density(), 3.0 / 91);
  EXPECT_EQ(Mask(network, true).density(), 1);
}

TEST(Mask, CheckSizesNamesTheLayer) {
  const Network network = two_layers();
  Mask mask(network, true);
  check_sizes(network, mask);
  mask.layers[1] = LayerMask(22);
  GCG_EXPECT_ERROR(check_sizes(network, mask),
                   StrEq("two: fc2: the mask has 22 connections, the layer 21"));
  mask.layers.pop_back();
  GCG_EXPECT_ERROR(check_sizes(network, mask), StrEq("two: the mask has 1 layers, the network 2"));
}

TEST(Jaccard, IsIntersectionOverUnion) {
  const LayerMask a = with(100, {1, 2, 70});
  const LayerMask b = with(100, {2, 70, 71, 99});
  EXPECT_EQ(jaccard(a, b), 2.0 / 5);
  EXPECT_EQ(jaccard(b, a), 2.0 / 5);
  EXPECT_EQ(jaccard(a, a), 1);
  EXPECT_EQ(jaccard(a, LayerMask(100)), 0);
  EXPECT_EQ(jaccard(LayerMask(100), LayerMask(100)), 1);
}

TEST(Jaccard, OfAMaskWeighsConnectionsNotLayers) {
  const Network network = two_layers();
  Mask a(network, false);
  Mask b(network, false);
  a.layers[0] = with(70, {1, 2, 3});
  b.layers[0] = with(70, {1, 2, 3});
  a.layers[1] = with(21, {5});
  b.layers[1] = with(21, {6});
  EXPECT_EQ(jaccard(a, b), 3.0 / 5);
}

TEST(Jaccard, RefusesMasksOfDifferentSize) {
  GCG_EXPECT_ERROR(jaccard(LayerMask(10), LayerMask(11)),
                   StrEq("mask: layers of 10 and 11 connections"));
  const Network network = two_layers();
  Mask shorter(network, false);
  shorter.layers.pop_back();
  GCG_EXPECT_ERROR(jaccard(Mask(network, false), shorter), StrEq("mask: 2 layers against 1"));
}

TEST(Unite, AddsTheOtherMasksConnections) {
  const Network network = two_layers();
  Mask a(network, false);
  Mask b(network, false);
  a.layers[0] = with(70, {1, 2});
  b.layers[0] = with(70, {2, 69});
  b.layers[1] = with(21, {0});
  unite(a, b);
  EXPECT_THAT(present_of(a.layers[0]), ElementsAre(1, 2, 69));
  EXPECT_THAT(present_of(a.layers[1]), ElementsAre(0));
  b.layers.pop_back();
  GCG_EXPECT_ERROR(unite(a, b), StrEq("mask: 2 layers against 1"));
}

}  // namespace
}  // namespace gcg
