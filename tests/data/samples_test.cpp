#include "data/samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "data/colour_jitter.h"
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
    const Region part = random_part(500, 375, kUsualCropShare, stream);
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
    const Region part = random_part(300, 300, kUsualCropShare, stream);
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
  const Region part = random_part(1000, 10, kUsualCropShare, stream);
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
    const Region part =
        decoder.decode(random_part(90, 70, kUsualCropShare, draws), 32, 32, decoded);
    const RgbImage expected = resampled(decoded, part, 32, 32);
    std::vector<std::uint8_t> planes(3 * 32 * 32);
    const Placement place = maker.make_bytes(0, {0, true, kUsualCropShare}, epoch, planes, scratch);
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
    const Region part = random_part(90, 70, kUsualCropShare, draws);
    flips += mirrored ? 1 : 0;
    const std::vector<float> expected = reference(part, mirrored);
    const std::vector<float> found = sample({0, true, kUsualCropShare}, epoch);
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

/// Raw images of three colours with statistics under which a value is the level itself.
class RawSample : public ::testing::Test {
 protected:
  RawSample() {
    RandomStream stream(4, "test-images");
    for (std::int64_t i = 0; i < 2 * images_.shape.elements(); ++i) {
      images_.pixels.push_back(static_cast<std::uint8_t>(stream.below(256)));
    }
    images_.labels = {0, 1};
  }
  std::vector<float> sample(const Augmentation& augmentation, std::uint64_t epoch) {
    const SampleMaker maker(images_, statistics_, 1);
    SampleMaker::Scratch scratch;
    std::vector<float> values(static_cast<std::size_t>(images_.shape.elements()));
    maker.make(1, augmentation, epoch, values, scratch);
    return values;
  }
  /// The levels of the second image as planes.
  [[nodiscard]] std::vector<float> levels() const {
    const auto half = static_cast<std::ptrdiff_t>(images_.pixels.size() / 2);
    return {images_.pixels.begin() + half, images_.pixels.end()};
  }
  ImageSet images_{{3, 12, 10}, {}, {}};
  ChannelStatistics statistics_{{0, 0, 0}, {1.0F / 255, 1.0F / 255, 1.0F / 255}};
};

TEST_F(RawSample, MayBeScaledFromARandomPart) {
  RgbImage image{10, 12, {}};
  const std::vector<float> planes = levels();
  for (std::size_t p = 0; p < 120; ++p) {
    for (std::size_t c = 0; c < 3; ++c) {
      image.pixels.push_back(static_cast<std::uint8_t>(planes[c * 120 + p]));
    }
  }
  const SampleMaker maker(images_, statistics_, 1);
  SampleMaker::Scratch scratch;
  for (std::uint64_t epoch = 0; epoch < 20; ++epoch) {
    RandomStream part_draws(1, "resized-crop", stream_index(epoch, 1));
    const Region part = random_part(10, 12, 0.3, part_draws);
    EXPECT_GT(part.width * part.height, 0.25 * 120);  // whole pixels round it
    const RgbImage expected = resampled(image, part, 10, 12);
    // What decides on mirroring without random parts decides here too.
    const bool mirrored = maker.place(1, {0, true}, epoch).mirrored;
    const std::vector<float> found = sample({0, true, 0.3}, epoch);
    std::vector<std::uint8_t> bytes(found.size());
    const Placement place = maker.make_bytes(1, {0, true, 0.3}, epoch, bytes, scratch);
    EXPECT_EQ(place.mirrored, mirrored);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const std::size_t c = i / 120;
      const std::size_t y = i % 120 / 10;
      const std::size_t x = mirrored ? 9 - i % 10 : i % 10;
      const auto level = static_cast<float>(expected.pixels[3 * (10 * y + x) + c]);
      ASSERT_NEAR(found[i], level, 0.51F) << epoch << ", " << i;
      ASSERT_EQ(bytes[i], expected.pixels[3 * (i % 120) + c]) << epoch << ", " << i;
    }
  }
}

TEST_F(RawSample, ChangesItsColoursBeforeItIsPaddedCroppedAndMirrored) {
  const SampleMaker maker(images_, statistics_, 1);
  for (std::uint64_t epoch = 0; epoch < 20; ++epoch) {
    std::vector<float> colours = levels();
    jitter_colours(colours, 0.5, RandomStream(1, "colour-jitter", stream_index(epoch, 1)));
    const Placement place = maker.place(1, {3, true}, epoch);
    const std::vector<float> found = sample({3, true, 0, 0.5}, epoch);
    for (std::int64_t i = 0; i < std::ssize(found); ++i) {
      const std::int64_t column = i % 10;
      const std::int64_t y = i % 120 / 10 + place.row;
      const std::int64_t x = (place.mirrored ? 9 - column : column) + place.column;
      const bool inside = y >= 0 && y < 12 && x >= 0 && x < 10;
      const float expected =
          inside ? colours[static_cast<std::size_t>(i / 120 * 120 + y * 10 + x)] : 0.0F;
      ASSERT_NEAR(found[static_cast<std::size_t>(i)], expected, 1e-3F) << epoch << ", " << i;
    }
  }
}

TEST_F(RawSample, RefusesAugmentationsThatDoNotFit) {
  const SampleMaker maker(images_, statistics_, 1);
  EXPECT_THAT(error_of([&] {
                maker.check({4, true, 0.5});
              }),
              HasSubstr("crop padding beside resized crops"));
  EXPECT_THAT(error_of([&] { maker.check({0, true, 1.5}); }), HasSubstr("from 0 to 1"));
  images_.shape = {1, 36, 10};
  const SampleMaker grey(images_, {{0}, {1}}, 1);
  for (const Augmentation& augmentation : {Augmentation{0, true, 0.5}, {0, true, 0, 0.5}}) {
    EXPECT_THAT(error_of([&] { grey.check(augmentation); }),
                HasSubstr("need images of three colours, these have 1"));
  }
}

}  // namespace
}  // namespace gcg
