#include "data/batches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "data/files.h"

namespace gcg {
namespace {

using test::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ImageSet random_images(Shape shape, std::int64_t count, std::uint64_t seed) {
  RandomStream stream(seed, "test-images");
  ImageSet images{shape, {}, {}};
  for (std::int64_t i = 0; i < count * shape.elements(); ++i) {
    images.pixels.push_back(static_cast<std::uint8_t>(stream.below(256)));
  }
  for (std::int64_t i = 0; i < count; ++i) {
    images.labels.push_back(static_cast<std::int32_t>(i % 10));
  }
  return images;
}

/// Statistics under which a pixel's normalised value is the pixel itself, up to rounding.
ChannelStatistics identity(std::int64_t channels) {
  return {std::vector<float>(channels, 0.0F), std::vector<float>(channels, 1.0F / 255)};
}

std::vector<float> copy(std::span<const float> values) { return {values.begin(), values.end()}; }

std::vector<float> sample(const Batch& batch, std::int64_t i) {
  const std::size_t elements = batch.images.size() / batch.labels.size();
  return copy(batch.images.subspan(static_cast<std::size_t>(i) * elements, elements));
}

/// The image padded by zeros, cropped at (row, column) of the padded image, then mirrored: by the
/// definition, pixel by pixel.
std::vector<float> reference(const ImageSet& images, const ChannelStatistics& statistics,
                             std::int64_t position, std::int64_t padding, std::int64_t row,
                             std::int64_t column, bool mirrored) {
  const auto [channels, height, width] = images.shape;
  std::vector<float> result;
  for (std::int64_t c = 0; c < channels; ++c) {
    const float scale = 1 / (255 * statistics.deviation.at(c));
    const float offset = -statistics.mean.at(c) / statistics.deviation.at(c);
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        const std::int64_t from_y = y + row - padding;
        const std::int64_t from_x = (mirrored ? width - 1 - x : x) + column - padding;
        if (from_y < 0 || from_y >= height || from_x < 0 || from_x >= width) {
          result.push_back(0);
        } else {
          const std::uint8_t pixel =
              images.pixels.at(((position * channels + c) * height + from_y) * width + from_x);
          result.push_back(static_cast<float>(pixel) * scale + offset);
        }
      }
    }
  }
  return result;
}

TEST(EpochOrder, IsAPermutation) {
  for (const std::int64_t count : {0, 1, 2, 17, 1000}) {
    std::vector<std::int64_t> order = epoch_order(count, 1, 2);
    std::sort(order.begin(), order.end());
    std::vector<std::int64_t> expected(static_cast<std::size_t>(count));
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(order, expected);
  }
}

TEST(EpochOrder, DependsOnSeedAndEpochAlone) {
  EXPECT_EQ(epoch_order(100, 1, 2), epoch_order(100, 1, 2));
  EXPECT_NE(epoch_order(100, 1, 2), epoch_order(100, 1, 3));
  EXPECT_NE(epoch_order(100, 1, 2), epoch_order(100, 2, 2));
}

TEST(EpochOrder, IsPinned) {
  EXPECT_THAT(epoch_order(8, 1, 0), ElementsAre(7, 0, 4, 3, 2, 6, 1, 5));
}

TEST(PlainBatch, IsScaledAndShiftedPerChannel) {
  const ImageSet images{{2, 1, 2}, {0, 255, 51, 102, 1, 2, 3, 4}, {4, 7}};
  BatchMaker maker(images, {{0.5F, 0.2F}, {0.5F, 0.1F}}, 1);
  const std::vector<std::int64_t> positions{1, 0};
  const Batch batch = maker.plain(positions);
  EXPECT_THAT(batch.labels, ElementsAre(7, 4));
  EXPECT_THAT(sample(batch, 1),
              ::testing::Pointwise(::testing::FloatNear(1e-6F), {-1.0F, 1.0F, 0.0F, 2.0F}));
}

TEST(PlainBatch, OfTheTrainingImagesHasMeanZeroAndDeviationOne) {
  const ImageSet images = random_images({3, 5, 7}, 40, 1);
  BatchMaker maker(images, channel_statistics(images), 1);
  std::vector<std::int64_t> all(40);
  std::iota(all.begin(), all.end(), 0);
  const Batch batch = maker.plain(all);
  for (std::size_t c = 0; c < 3; ++c) {
    double sum = 0;
    double squares = 0;
    for (std::size_t i = 0; i < 40; ++i) {
      for (std::size_t p = 0; p < 35; ++p) {
        const double value = batch.images[(i * 3 + c) * 35 + p];
        sum += value;
        squares += value * value;
      }
    }
    EXPECT_NEAR(sum / 1400, 0, 1e-6);
    EXPECT_NEAR(squares / 1400, 1, 1e-5);
  }
}

TEST(PlainBatch, ShortLastBatchHasItsOwnSize) {
  const ImageSet images = random_images({1, 2, 2}, 5, 1);
  BatchMaker maker(images, identity(1), 1);
  const std::vector<std::int64_t> full{0, 1, 2};
  const std::vector<std::int64_t> rest{3, 4};
  EXPECT_EQ(maker.plain(full).images.size(), 12U);
  const Batch batch = maker.plain(rest);
  EXPECT_EQ(batch.size(), 2);
  EXPECT_EQ(batch.images.size(), 8U);
  EXPECT_THAT(batch.labels, ElementsAre(3, 4));
  EXPECT_EQ(maker.plain({}).size(), 0);
}

TEST(AugmentedBatch, WithoutAugmentationIsThePlainOne) {
  const ImageSet images = random_images({3, 8, 8}, 4, 2);
  BatchMaker maker(images, channel_statistics(images), 1);
  const std::vector<std::int64_t> positions{2, 0, 3};
  const std::vector<float> plain = copy(maker.plain(positions).images);
  EXPECT_EQ(copy(maker.augmented(positions, {}, 5).images), plain);
}

TEST(AugmentedBatch, CropOfATinyImageIsOneOfItsNineShifts) {
  // 2x2 pixels with padding 1: the nine windows of the padded 4x4 image, each about equally often.
  const ImageSet images{{1, 2, 2}, {1, 2, 3, 4}, {0}};
  BatchMaker maker(images, identity(1), 1);
  const std::vector<std::int64_t> position{0};
  std::map<std::vector<int>, int> seen;
  for (std::uint64_t epoch = 0; epoch < 900; ++epoch) {
    std::vector<int> rounded;
    for (const float value : maker.augmented(position, {1, false}, epoch).images) {
      rounded.push_back(static_cast<int>(std::lround(value)));
    }
    ++seen[rounded];
  }
  std::vector<std::vector<int>> kinds;
  for (const auto& [kind, count] : seen) {
    kinds.push_back(kind);
    EXPECT_GT(count, 50) << "expected about 100";
    EXPECT_LT(count, 150) << "expected about 100";
  }
  EXPECT_THAT(kinds,
              ::testing::UnorderedElementsAre(
                  ElementsAre(0, 0, 0, 1), ElementsAre(0, 0, 1, 2), ElementsAre(0, 0, 2, 0),
                  ElementsAre(0, 1, 0, 3), ElementsAre(1, 2, 3, 4), ElementsAre(2, 0, 4, 0),
                  ElementsAre(0, 3, 0, 0), ElementsAre(3, 4, 0, 0), ElementsAre(4, 0, 0, 0)));
}

TEST(AugmentedBatch, FlipMirrorsEveryRowHalfOfTheTime) {
  const ImageSet images{{2, 2, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, {0}};
  BatchMaker maker(images, identity(2), 1);
  const std::vector<std::int64_t> position{0};
  const std::vector<float> plain = copy(maker.plain(position).images);
  const std::vector<float> mirrored{plain[2], plain[1], plain[0], plain[5],  plain[4],  plain[3],
                                    plain[8], plain[7], plain[6], plain[11], plain[10], plain[9]};
  int flips = 0;
  for (std::uint64_t epoch = 0; epoch < 400; ++epoch) {
    const std::vector<float> result = copy(maker.augmented(position, {0, true}, epoch).images);
    ASSERT_TRUE(result == plain || result == mirrored);
    flips += result == mirrored ? 1 : 0;
  }
  EXPECT_NEAR(flips, 200, 50);  // five deviations
}

TEST(AugmentedBatch, IsTheDefinitionWithThreeDrawsOfTheSamplesStream) {
  const ImageSet images = random_images({3, 6, 9}, 6, 3);
  const ChannelStatistics statistics = channel_statistics(images);
  const std::uint64_t seed = 11;
  const RandomStream stream(seed, "augmentation");
  BatchMaker maker(images, statistics, seed);
  const std::vector<std::int64_t> positions{5, 0, 1, 4, 2, 3};
  for (const std::int64_t padding : {0, 1, 4, 6}) {
    for (const bool flip : {false, true}) {
      for (std::uint64_t epoch = 0; epoch < 20; ++epoch) {
        const Batch batch = maker.augmented(positions, {padding, flip}, epoch);
        for (std::int64_t i = 0; i < 6; ++i) {
          RandomStream draws = stream.at(stream_index(epoch, positions.at(i)));
          const auto row = static_cast<std::int64_t>(draws.below(2 * padding + 1));
          const auto column = static_cast<std::int64_t>(draws.below(2 * padding + 1));
          const bool mirrored = draws.below(2) == 1 && flip;
          ASSERT_EQ(sample(batch, i),
                    reference(images, statistics, positions.at(i), padding, row, column, mirrored))
              << "padding " << padding << ", flip " << flip << ", epoch " << epoch << ", sample "
              << i;
        }
      }
    }
  }
}

TEST(AugmentedBatch, OfASampleDoesNotDependOnTheBatchAroundIt) {
  const ImageSet images = random_images({3, 8, 8}, 20, 4);
  BatchMaker maker(images, channel_statistics(images), 5);
  BatchMaker other(images, channel_statistics(images), 5);
  const std::vector<std::int64_t> many{3, 19, 7, 0, 12};
  const std::vector<std::int64_t> alone{7};
  const std::vector<float> in_many = sample(maker.augmented(many, {2, true}, 9), 2);
  EXPECT_EQ(sample(other.augmented(alone, {2, true}, 9), 0), in_many);
  maker.plain(many);
  EXPECT_EQ(sample(maker.augmented(alone, {2, true}, 9), 0), in_many);
}

TEST(AugmentedBatch, DiffersByEpochAndSeed) {
  const ImageSet images = random_images({1, 16, 16}, 8, 5);
  const std::vector<std::int64_t> all{0, 1, 2, 3, 4, 5, 6, 7};
  BatchMaker maker(images, identity(1), 1);
  BatchMaker other(images, identity(1), 2);
  const std::vector<float> first = copy(maker.augmented(all, {4, true}, 0).images);
  EXPECT_NE(copy(maker.augmented(all, {4, true}, 1).images), first);
  EXPECT_NE(copy(other.augmented(all, {4, true}, 0).images), first);
}

TEST(BatchMaker, RejectsPositionsOutsideOfTheSet) {
  const ImageSet images = random_images({1, 2, 2}, 3, 1);
  BatchMaker maker(images, identity(1), 1);
  for (const std::int64_t position : {-1, 3}) {
    const std::vector<std::int64_t> positions{0, position};
    EXPECT_THAT(error_of([&] { maker.plain(positions); }),
                HasSubstr("there is no image " + std::to_string(position) + " among 3"));
  }
}

TEST(BatchMaker, RejectsPaddingsBeyondTheImage) {
  const ImageSet images = random_images({1, 2, 5}, 1, 1);
  BatchMaker maker(images, identity(1), 1);
  const std::vector<std::int64_t> position{0};
  for (const std::int64_t padding : {-1, 3}) {
    EXPECT_THAT(error_of([&] {
                  maker.augmented(position, {padding, false}, 0);
                }),
                HasSubstr("choose one from 0 to 2"));
  }
}

TEST(BatchMaker, RejectsStatisticsAndPixelsThatDoNotFit) {
  ImageSet images = random_images({3, 2, 2}, 2, 1);
  EXPECT_THAT(error_of([&] { BatchMaker(images, identity(1), 1); }),
              HasSubstr("statistics of 1 channels for images of 3"));
  images.pixels.pop_back();
  EXPECT_THAT(error_of([&] { BatchMaker(images, identity(3), 1); }),
              HasSubstr("23 bytes of pixels are not 2 images of 12"));
}

}  // namespace
}  // namespace gcg
