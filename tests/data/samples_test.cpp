#include "data/samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "data/encoded.h"
#include "data/files.h"
#include "data/image_folder.h"

namespace gcg {
namespace {

using test::error_of;
using ::testing::HasSubstr;

TEST(RandomPart, IsAnAllowedPartOfTheImage) {
  for (std::uint64_t i = 0; i < 2000; ++i) {
    RandomStream stream(1, "test", i);
    const Region part = random_part(500, 375, stream);
    EXPECT_GE(part.x, 0);
    EXPECT_GE(part.y, 0);
    EXPECT_LE(part.x + part.width, 500);
    EXPECT_LE(part.y + part.height, 375);
    // Whole pixels round the share and the ratio a little.
    const double share = part.width * part.height / (500.0 * 375.0);
    EXPECT_GT(share, 0.079);
    const double ratio = part.width / part.height;
    EXPECT_GT(ratio, 0.74);
    EXPECT_LT(ratio, 1.35);
  }
}

TEST(RandomPart, HasItsShareAndPlaceSpreadEvenly) {
  double share = 0;
  double x = 0;
  int places = 0;
  constexpr int trials = 4000;
  for (std::uint64_t i = 0; i < trials; ++i) {
    RandomStream stream(1, "test", i);
    const Region part = random_part(300, 300, stream);
    share += part.width * part.height / 90000.0 / trials;
    if (part.width < 300) {
      x += part.x / (300 - part.width);
      ++places;
    }
  }
  // A share s above 3/4 fits with probability -log(s) / log(4/3), else it is drawn again: the mean
  // over [0.08, 1] weighted by that is 0.478.
  EXPECT_NEAR(share, 0.478, 0.02);
  EXPECT_NEAR(x / places, 0.5, 0.02);
}

TEST(RandomPart, OfAStripIsItsCentre) {
  RandomStream stream(1, "test");
  const Region part = random_part(1000, 10, stream);
  EXPECT_DOUBLE_EQ(part.width, 10 * 4.0 / 3.0);
  EXPECT_DOUBLE_EQ(part.height, 10);
  EXPECT_DOUBLE_EQ(part.x, (1000 - part.width) / 2);
}

TEST(CentrePart, IsSevenEighthsOfTheShorterSide) {
  const Region part = centre_part(500, 400);
  EXPECT_DOUBLE_EQ(part.width, 350);
  EXPECT_DOUBLE_EQ(part.height, 350);
  EXPECT_DOUBLE_EQ(part.x, 75);
  EXPECT_DOUBLE_EQ(part.y, 25);
}

/// A set of one encoded image.
class EncodedSample : public ::testing::Test {
 protected:
  EncodedSample() {
    test::write_image(folder_ / "a/0.JPEG", test::smooth_image(90, 70));
    images_.shape = {3, 32, 32};
    images_.labels = {0};
    images_.files = {folder_ / "a/0.JPEG"};
  }
  std::vector<float> sample(const Augmentation& augmentation, std::uint64_t epoch) {
    const SampleMaker maker(images_, statistics_, 1);
    SampleMaker::Scratch scratch;
    std::vector<float> values(3 * 32 * 32);
    maker.make(0, augmentation, epoch, values, scratch);
    return values;
  }
  /// The part of a full decode, resampled, mirrored, normalised: nothing is skipped or scaled.
  std::vector<float> reference(const Region& part, bool mirrored) {
    const RgbImage whole = decode_image(read_file(images_.files[0]), "x");
    std::vector<float> values(3 * 32 * 32);
    ResampleScratch scratch;
    resample(whole, part, 32, 32, scratch, [&](std::int64_t y, const float* row) {
      for (std::int64_t c = 0; c < 3; ++c) {
        for (std::int64_t x = 0; x < 32; ++x) {
          const float value = row[c * 32 + (mirrored ? 31 - x : x)] / 255;
          values.at((c * 32 + y) * 32 + x) =
              (value - statistics_.mean.at(c)) / statistics_.deviation.at(c);
        }
      }
    });
    return values;
  }
  test::TemporaryFolder folder_;
  ImageSet images_;
  ChannelStatistics statistics_{{0.4F, 0.5F, 0.6F}, {0.2F, 0.3F, 0.25F}};
};

TEST_F(EncodedSample, IsTheScaledCentreInEvaluation) {
  const std::vector<float> expected = reference(centre_part(90, 70), false);
  const std::vector<float> found = sample({}, 0);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(found[i], expected[i], 1e-4) << i;
  }
}

TEST_F(EncodedSample, AsBytesIsTheResampledPartAndMirroredByItsPlacement) {
  const SampleMaker maker(images_, statistics_, 1);
  SampleMaker::Scratch scratch;
  const RandomStream stream(1, "augmentation");
  const std::vector<std::byte> file = read_file(images_.files[0]);
  for (std::uint64_t epoch = 0; epoch < 10; ++epoch) {
    RandomStream draws = stream.at(stream_index(epoch, 0));
    const bool mirrored = draws.below(2) == 1;
    ImageDecoder decoder(file, "x");
    RgbImage decoded;
    const Region part = decoder.decode(random_part(90, 70, draws), 32, 32, decoded);
    const RgbImage expected = resampled(decoded, part, 32, 32);
    std::vector<std::uint8_t> planes(3 * 32 * 32);
    const Placement place = maker.make_bytes(0, {0, true, true}, epoch, planes, scratch);
    EXPECT_EQ(place.mirrored, mirrored);
    EXPECT_EQ(place.image, 0);
    EXPECT_EQ(place.row, 0);
    EXPECT_EQ(place.column, 0);
    for (std::size_t i = 0; i < planes.size(); ++i) {
      ASSERT_EQ(planes[i], expected.pixels[3 * (i % 1024) + i / 1024]) << epoch << ", " << i;
    }
  }
}

TEST_F(EncodedSample, KeepsNoMemoryOfALargeImage) {
  const SampleMaker maker(images_, statistics_, 1);
  SampleMaker::Scratch scratch;
  std::vector<float> values(3 * 32 * 32);
  maker.make(0, {}, 0, values, scratch);
  EXPECT_GT(scratch.image.pixels.capacity(), 0U);
  write_file_atomically(images_.files[0],
                        encode_png({5000, 4000, std::vector<std::uint8_t>(3 * 5000 * 4000, 99)}));
  maker.make(0, {}, 0, values, scratch);
  EXPECT_EQ(scratch.image.pixels.capacity(), 0U);
}

TEST_F(EncodedSample, IsADrawOfFlipAndPartInTraining) {
  const RandomStream stream(1, "augmentation");
  int flips = 0;
  for (std::uint64_t epoch = 0; epoch < 40; ++epoch) {
    RandomStream draws = stream.at(stream_index(epoch, 0));
    const bool mirrored = draws.below(2) == 1;
    const Region part = random_part(90, 70, draws);
    flips += mirrored ? 1 : 0;
    const std::vector<float> expected = reference(part, mirrored);
    const std::vector<float> found = sample({0, true, true}, epoch);
    // Parts of twice the size or more are decoded at half the size: nearly the same.
    const float tolerance = part.width >= 64 && part.height >= 64 ? 0.1F : 1e-4F;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(found[i], expected[i], tolerance) << "epoch " << epoch << ", value " << i;
    }
  }
  EXPECT_GT(flips, 8);
  EXPECT_LT(flips, 32);
}

TEST_F(EncodedSample, RejectsPaddingAndWrongRoom) {
  const SampleMaker maker(images_, statistics_, 1);
  EXPECT_THAT(error_of([&] {
                maker.check({4, true});
              }),
              HasSubstr("crop padding for encoded images"));
  SampleMaker::Scratch scratch;
  std::vector<float> room(7);
  EXPECT_THAT(error_of([&] { maker.make(0, {}, 0, room, scratch); }),
              HasSubstr("room for 7 values of an image of 3072"));
}

}  // namespace
}  // namespace gcg
