#include "data/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "data/files.h"

namespace gcg {
namespace {

using test::error_of;
using ::testing::HasSubstr;

std::vector<std::int32_t> random_labels(std::int64_t count, std::int64_t classes,
                                        std::uint64_t seed) {
  RandomStream stream(seed, "test-labels");
  std::vector<std::int32_t> labels(static_cast<std::size_t>(count));
  for (std::int32_t& label : labels) {
    label = static_cast<std::int32_t>(stream.below(static_cast<std::uint64_t>(classes)));
  }
  return labels;
}

TEST(StratifiedSplit, PartsAreAscendingDisjointAndTogetherEverything) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<std::int32_t> labels = random_labels(500, 7, seed);
    const Split split = stratified_split(labels, 7, 0.2, seed);
    EXPECT_TRUE(std::is_sorted(split.train.begin(), split.train.end()));
    EXPECT_TRUE(std::is_sorted(split.validation.begin(), split.validation.end()));
    std::vector<std::int64_t> all;
    std::merge(split.train.begin(), split.train.end(), split.validation.begin(),
               split.validation.end(), std::back_inserter(all));
    std::vector<std::int64_t> expected(labels.size());
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(all, expected);
  }
}

TEST(StratifiedSplit, TakesTheRoundedShareOfEveryClass) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<std::int32_t> labels = random_labels(300, 5, seed);
    const Split split = stratified_split(labels, 5, 0.13, seed);
    for (std::int32_t c = 0; c < 5; ++c) {
      const auto count = std::count(labels.begin(), labels.end(), c);
      const auto chosen = std::count_if(split.validation.begin(), split.validation.end(),
                                        [&](std::int64_t i) { return labels.at(i) == c; });
      EXPECT_EQ(chosen, std::llround(0.13 * static_cast<double>(count))) << "class " << c;
    }
  }
}

TEST(StratifiedSplit, DependsOnTheSeedAlone) {
  const std::vector<std::int32_t> labels = random_labels(200, 4, 1);
  EXPECT_EQ(stratified_split(labels, 4, 0.25, 7).validation,
            stratified_split(labels, 4, 0.25, 7).validation);
  EXPECT_NE(stratified_split(labels, 4, 0.25, 7).validation,
            stratified_split(labels, 4, 0.25, 8).validation);
}

TEST(StratifiedSplit, OneClassDoesNotChangeTheDrawOfAnother) {
  // The images of class 0 come first; class 1 grows.
  std::vector<std::int32_t> labels(20, 0);
  labels.resize(40, 1);
  const Split before = stratified_split(labels, 2, 0.5, 3);
  labels.resize(60, 1);
  const Split after = stratified_split(labels, 2, 0.5, 3);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(before.validation[i], after.validation[i]);
  }
}

TEST(StratifiedSplit, EveryImageIsChosenSometimes) {
  const std::vector<std::int32_t> labels(10, 0);
  std::vector<int> chosen(10);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    for (const std::int64_t i : stratified_split(labels, 1, 0.3, seed).validation) {
      ++chosen.at(static_cast<std::size_t>(i));
    }
  }
  // Mean 60, deviation 6.5: five deviations either way.
  EXPECT_THAT(chosen, ::testing::Each(::testing::AllOf(::testing::Gt(27), ::testing::Lt(93))));
}

TEST(StratifiedSplit, FractionZeroKeepsEverythingForTraining) {
  const Split split = stratified_split({0, 1, 0}, 2, 0, 1);
  EXPECT_THAT(split.train, ::testing::ElementsAre(0, 1, 2));
  EXPECT_THAT(split.validation, ::testing::IsEmpty());
}

TEST(StratifiedSplit, PassesOverAClassWithoutImages) {
  const Split split = stratified_split({0, 2, 0, 2}, 3, 0.5, 1);
  EXPECT_EQ(split.train.size(), 2U);
  EXPECT_EQ(split.validation.size(), 2U);
}

TEST(StratifiedSplit, RejectsFractionsOutsideOfItsRange) {
  for (const double fraction : {-0.1, 1.0, 2.0, std::nan("")}) {
    EXPECT_THAT(error_of([&] {
                  stratified_split({0, 0}, 1, fraction, 1);
                }),
                HasSubstr("choose one in [0, 1)"));
  }
}

TEST(StratifiedSplit, RejectsAClassThatEndsUpOnOneSideOnly) {
  EXPECT_THAT(error_of([] {
                stratified_split({0, 0, 0, 1}, 2, 0.34, 1);
              }),
              HasSubstr("0.34 of the 1 images of class 1 leaves none for validation"));
  EXPECT_THAT(error_of([] {
                stratified_split({0, 0, 0, 0, 0, 1}, 2, 0.6, 1);
              }),
              HasSubstr("0.6 of the 1 images of class 1 leaves none for training"));
}

TEST(StratifiedSplit, RejectsLabelsOutsideOfTheClasses) {
  EXPECT_THAT(error_of([] {
                stratified_split({0, 2}, 2, 0.1, 1);
              }),
              HasSubstr("image 1 has label 2; there are 2 classes"));
}

TEST(DefaultValidationFraction, IsATenthFromTenThousandImagesOn) {
  EXPECT_EQ(default_validation_fraction(9'999), 0.2);
  EXPECT_EQ(default_validation_fraction(10'000), 0.1);
}

}  // namespace
}  // namespace gcg
