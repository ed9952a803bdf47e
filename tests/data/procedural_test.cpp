#include "data/procedural.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/hash.h"
#include "data/files.h"

namespace gcg {
namespace {

using test::error_of;
using ::testing::HasSubstr;

ProceduralOptions small(double difficulty, std::uint64_t seed) {
  return {40, 20, difficulty, seed};
}

TEST(ProceduralImages, AreBalancedLabelledAndOfTheRightShape) {
  const DataSet data = make_procedural({1000, 130, 0.5, 1});
  EXPECT_EQ(data.name, "procedural");
  EXPECT_EQ(data.classes, 10);
  EXPECT_EQ(data.train.shape, (Shape{3, 32, 32}));
  EXPECT_NO_THROW(check_images("train", data.train, 10));
  EXPECT_NO_THROW(check_images("test", data.test, 10));
  EXPECT_EQ(data.train.size(), 1000);
  EXPECT_EQ(data.test.size(), 130);
  for (std::int32_t label = 0; label < 10; ++label) {
    EXPECT_EQ(std::count(data.train.labels.begin(), data.train.labels.end(), label), 100);
    EXPECT_EQ(std::count(data.test.labels.begin(), data.test.labels.end(), label), 13);
  }
  EXPECT_FALSE(std::is_sorted(data.train.labels.begin(), data.train.labels.begin() + 20));
  EXPECT_TRUE(data.flip);
  EXPECT_EQ(data.crop_padding, 4);
}

TEST(ProceduralImages, BytesArePinned) {
  EXPECT_EQ(make_procedural(small(0.5, 1)).digest,
            "9bfed6f9209de09552b766b424734b8c43199e43ce899e208d64068a1ef3c353");
  EXPECT_EQ(make_procedural(small(1, 7)).digest,
            "51693abcb9b2720f598c1507493b096e0dbb7738ab2a2ff2534ba8d8146ef762");
}

TEST(ProceduralImages, DigestIsOfTheBytes) {
  const DataSet data = make_procedural(small(0.5, 1));
  EXPECT_EQ(data.digest, data_digest(data.train, data.test));
}

TEST(ProceduralImages, DifferBySeedDifficultyAndPart) {
  const DataSet data = make_procedural(small(0.5, 1));
  EXPECT_NE(make_procedural(small(0.5, 2)).train.pixels, data.train.pixels);
  EXPECT_NE(make_procedural(small(0.5, 2)).train.labels, data.train.labels);
  EXPECT_NE(make_procedural(small(0.6, 1)).train.pixels, data.train.pixels);
  const std::vector<std::uint8_t> first(data.train.pixels.begin(),
                                        data.train.pixels.begin() + 3072);
  const std::vector<std::uint8_t> test(data.test.pixels.begin(), data.test.pixels.begin() + 3072);
  EXPECT_NE(first, test);
}

TEST(ProceduralImages, TestSetDoesNotDependOnTheNumberOfTrainingImages) {
  ProceduralOptions more = small(0.5, 1);
  more.train_images = 60;
  EXPECT_EQ(make_procedural(more).test.pixels, make_procedural(small(0.5, 1)).test.pixels);
}

TEST(ProceduralImages, NoTwoAreEqual) {
  const DataSet data = make_procedural({500, 500, 0, 1});
  std::vector<std::string> digests;
  for (const ImageSet* images : {&data.train, &data.test}) {
    for (std::size_t i = 0; i < 500; ++i) {
      digests.push_back(
          hex(sha256(std::as_bytes(std::span(images->pixels).subspan(i * 3072, 3072)))));
    }
  }
  std::sort(digests.begin(), digests.end());
  EXPECT_EQ(std::adjacent_find(digests.begin(), digests.end()), digests.end());
}

/// Deviation of the pixels from their neighbours to the right: noise and clutter.
double roughness(const ImageSet& images) {
  double sum = 0;
  for (std::size_t i = 1; i < images.pixels.size(); ++i) {
    if (i % 32 != 0) {
      sum += std::abs(static_cast<double>(images.pixels[i]) - images.pixels[i - 1]);
    }
  }
  return sum / static_cast<double>(images.pixels.size());
}

TEST(ProceduralImages, GetRougherWithDifficulty) {
  double before = 0;
  for (const double difficulty : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    const double now = roughness(make_procedural(small(difficulty, 1)).train);
    EXPECT_GT(now, before) << "difficulty " << difficulty;
    before = now;
  }
}

TEST(ProceduralImages, RejectImpossibleOptions) {
  EXPECT_THAT(error_of([] {
                make_procedural({9, 20, 0.5, 1});
              }),
              HasSubstr("9 images asked for\n  remedy: ask for 10 to 1000000"));
  EXPECT_THAT(error_of([] {
                make_procedural({20, std::int64_t{1} << 60, 0.5, 1});
              }),
              HasSubstr("ask for 10 to 1000000"));
  for (const double difficulty : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(error_of([&] { make_procedural(small(difficulty, 1)); }),
                HasSubstr("choose one in [0, 1]"));
  }
}

}  // namespace
}  // namespace gcg
