#include "data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "data/files.h"

namespace gcg {
namespace {

using test::error_of;
using ::testing::HasSubstr;

/// Two images of two channels and 1x2 pixels.
ImageSet small_set() { return {{2, 1, 2}, {0, 51, 10, 10, 102, 51, 10, 10}, {1, 0}}; }

TEST(EveryClass, WithoutImagesInOnePartIsNamed) {
  DataSet data;
  data.classes = 3;
  data.class_names = {"cat", "dog", "frog"};
  data.train = {{1, 1, 1}, {1, 2, 3}, {0, 1, 2}};
  data.test = {{1, 1, 1}, {1, 2, 3}, {2, 1, 0}};
  EXPECT_NO_THROW(check_every_class("here", data));
  data.test.labels = {0, 0, 2};
  EXPECT_THAT(test::error_of([&] { check_every_class("here", data); }),
              ::testing::HasSubstr("here: 1 of 3 classes have no test images: dog"));
  data.train.labels = {1, 1, 1};
  EXPECT_THAT(test::error_of([&] { check_every_class("here", data); }),
              ::testing::HasSubstr("2 of 3 classes have no training images: cat, frog"));
}

TEST(ChannelStatistics, AreMeanAndPopulationDeviationPerChannelInUnitsOf255) {
  const ChannelStatistics statistics = channel_statistics(small_set());
  // Channel 0: 0, 51, 102, 51: mean 51, variance 2 * 51^2 / 4.
  EXPECT_THAT(statistics.mean, ::testing::ElementsAre(0.2F, 10.0F / 255));
  EXPECT_FLOAT_EQ(statistics.deviation[0], 0.2F / std::sqrt(2.0F));
}

TEST(ChannelStatistics, DeviationOfAConstantChannelIsOneStepNotZero) {
  EXPECT_EQ(channel_statistics(small_set()).deviation[1], 1.0F / 255);
}

TEST(ChannelStatistics, NoImagesIsAnError) {
  EXPECT_THAT(error_of([] {
                channel_statistics({{3, 2, 2}, {}, {}});
              }),
              HasSubstr("there are no images"));
}

TEST(DataDigest, IsPinned) {
  // SHA-256 of "train 2 2 1 2\n", the 8 pixels, the 2 labels as 4 bytes each, and the same for
  // test.
  EXPECT_EQ(data_digest(small_set(), small_set()),
            "39f7c95c8901fa2368f6ba63ecaa04cf70b11dba416cb82a76e0db05555d3139");
}

TEST(DataDigest, ChangesWithEveryPartOfEitherSet) {
  const ImageSet plain = small_set();
  ImageSet pixel = plain;
  pixel.pixels[3] ^= 1;
  ImageSet label = plain;
  label.labels[1] = 1;
  ImageSet shape = plain;
  shape.shape = {2, 2, 1};
  const std::string digest = data_digest(plain, plain);
  for (const ImageSet& changed : {pixel, label, shape}) {
    EXPECT_NE(data_digest(changed, plain), digest);
    EXPECT_NE(data_digest(plain, changed), digest);
    EXPECT_NE(data_digest(plain, changed), data_digest(changed, plain));
  }
}

TEST(CheckImages, AcceptsWhatFitsTogether) {
  EXPECT_NO_THROW(check_images("here", small_set(), 2));
}

TEST(CheckImages, NamesTheImageWhoseLabelIsOutOfRange) {
  ImageSet images = small_set();
  EXPECT_THAT(error_of([&] { check_images("here", images, 1); }),
              HasSubstr("here: image 0 has label 1; there are 1 classes"));
  images.labels[1] = -1;
  EXPECT_THAT(error_of([&] { check_images("here", images, 2); }),
              HasSubstr("image 1 has label -1"));
}

TEST(CheckImages, RejectsPixelsThatDoNotFitTheLabels) {
  ImageSet images = small_set();
  images.pixels.pop_back();
  EXPECT_THAT(error_of([&] { check_images("here", images, 2); }),
              HasSubstr("2 labels of images of 4 bytes, but 7 bytes"));
}

TEST(CheckImages, RejectsAShapeWithoutPixels) {
  EXPECT_THAT(error_of([] {
                check_images("here", {{3, 0, 4}, {}, {}}, 2);
              }),
              HasSubstr("images of 3x0x4"));
}

}  // namespace
}  // namespace gcg
