#include "data/teacher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "base/throws.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

TeacherOptions small(double density, std::uint64_t seed = 1) {
  TeacherOptions options;
  options.images.train_images = 500;
  options.images.test_images = 100;
  options.density = density;
  options.seed = seed;
  return options;
}

TEST(Teacher, ShowsTheProceduralImagesUnderLabelsOfItsOwn) {
  const DataSet data = make_teacher(small(0.2));
  const DataSet images = make_procedural(small(0.2).images);
  EXPECT_EQ(data.train.pixels, images.train.pixels);
  EXPECT_EQ(data.test.pixels, images.test.pixels);
  EXPECT_NE(data.train.labels, images.train.labels);
  EXPECT_NE(data.digest, images.digest);
  EXPECT_EQ(data.name, "teacher");
  EXPECT_EQ(data.classes, 10);
  // Neither keeps the labels.
  EXPECT_FALSE(data.flip);
  EXPECT_EQ(data.crop_padding, 0);
}

TEST(Teacher, EveryClassIsThereAndNoneRules) {
  for (const double density : {kSparsestTeacher, 0.2, 1.0}) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      SCOPED_TRACE(seed);
      const DataSet data = make_teacher(small(density, seed));
      std::array<int, 10> counts{};
      for (const std::int32_t label : data.train.labels) {
        ++counts.at(static_cast<std::size_t>(label));
      }
      for (const int count : counts) {
        EXPECT_GE(count, 5) << density;
        EXPECT_LE(count, 200) << density;
      }
    }
  }
}

TEST(Teacher, DependsOnItsDensityAndSeedAlone) {
  const DataSet data = make_teacher(small(0.2));
  EXPECT_EQ(make_teacher(small(0.2)).train.labels, data.train.labels);
  EXPECT_NE(make_teacher(small(0.2, 2)).train.labels, data.train.labels);
  EXPECT_NE(make_teacher(small(0.4)).train.labels, data.train.labels);
}

TEST(Teacher, LabelsOfAnImageDoNotDependOnTheTestSet) {
  TeacherOptions more = small(0.2);
  more.images.test_images = 200;
  const DataSet data = make_teacher(small(0.2));
  EXPECT_EQ(make_teacher(more).train.labels, data.train.labels);
}

TEST(Teacher, ADensityOutOfRangeIsAnError) {
  for (const double density : {0.0, 0.039, 1.1}) {
    GCG_EXPECT_ERROR(make_teacher(small(density)), HasSubstr("teacher's labels: the density is"));
  }
}

}  // namespace
}  // namespace gcg
