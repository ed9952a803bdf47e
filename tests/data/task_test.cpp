#include "data/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/throws.h"
#include "data/procedural.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

/// 400 + 100 images, 40 and 10 of every class; the default split keeps 8 of 40 for validation.
DataSet images() {
  ProceduralOptions options;
  options.train_images = 400;
  options.test_images = 100;
  return make_procedural(options);
}

std::map<std::int32_t, int> counts(const DataSet& data,
                                   const std::vector<std::int64_t>& positions) {
  std::map<std::int32_t, int> counts;
  for (const std::int64_t position : positions) {
    ++counts[data.train.labels[static_cast<std::size_t>(position)]];
  }
  return counts;
}

TEST(Task, WithoutOptionsItIsTheDataSetAndItsStratifiedSplit) {
  const DataSet data = images();
  const Task task = make_task(data, {}, 0, 3);
  const Split split = stratified_split(data.train.labels, 10, 0.2, 3);
  EXPECT_EQ(task.split.train, split.train);
  EXPECT_EQ(task.split.validation, split.validation);
  EXPECT_EQ(task.data.train.labels, data.train.labels);
  EXPECT_EQ(task.data.train.pixels, data.train.pixels);
  EXPECT_EQ(task.data.classes, 10);
}

TEST(Task, ASubsetOfClassesHoldsAllTheirImagesUnderNewLabels) {
  const DataSet data = images();
  TaskOptions options;
  options.classes = 3;
  const Task task = make_task(data, options, 0, 3);
  EXPECT_EQ(task.data.classes, 3);
  EXPECT_EQ(task.data.train.size(), 120);
  EXPECT_EQ(task.data.test.size(), 30);
  EXPECT_EQ(task.data.digest, data.digest);
  EXPECT_EQ(task.split.validation.size(), 24U);
  // Every image is one of the whole set's, in its order, and old classes map to new ones one by one
  // in ascending order.
  std::map<std::int32_t, std::set<std::int32_t>> old_of_new;
  const std::size_t bytes = 3 * 32 * 32;
  std::size_t next = 0;
  for (std::size_t i = 0; i < data.train.labels.size() && next < 120; ++i) {
    if (std::equal(data.train.pixels.begin() + static_cast<std::ptrdiff_t>(i * bytes),
                   data.train.pixels.begin() + static_cast<std::ptrdiff_t>((i + 1) * bytes),
                   task.data.train.pixels.begin() + static_cast<std::ptrdiff_t>(next * bytes))) {
      old_of_new[task.data.train.labels[next++]].insert(data.train.labels[i]);
    }
  }
  EXPECT_EQ(next, 120U);
  ASSERT_EQ(old_of_new.size(), 3U);
  std::vector<std::int32_t> old;
  for (const auto& [label, from] : old_of_new) {
    ASSERT_EQ(from.size(), 1U);
    old.push_back(*from.begin());
  }
  EXPECT_TRUE(std::is_sorted(old.begin(), old.end()));
}

TEST(Task, ASmallerSubsetOfClassesIsPartOfALargerOneOfTheSameSeedAndSeedsDiffer) {
  const DataSet data = images();
  const auto pixels = [&](std::int64_t classes, std::uint64_t seed) {
    TaskOptions options;
    options.classes = classes;
    const Task task = make_task(data, options, 0, seed);
    std::set<std::vector<std::uint8_t>> result;
    for (std::size_t i = 0; i < task.data.test.labels.size(); ++i) {
      const auto first = task.data.test.pixels.begin() + static_cast<std::ptrdiff_t>(i * 3072);
      result.insert({first, first + 3072});
    }
    return result;
  };
  const auto two = pixels(2, 1);
  const auto five = pixels(5, 1);
  EXPECT_TRUE(std::includes(five.begin(), five.end(), two.begin(), two.end()));
  EXPECT_EQ(pixels(2, 1), two);
  EXPECT_NE(pixels(2, 2), two);
}

TEST(Task, AShareOfTheTrainingSplitIsStratifiedAndLeavesValidationAlone) {
  const DataSet data = images();
  const Task whole = make_task(data, {}, 0, 3);
  TaskOptions options;
  options.train_share = 0.26;  // 83.2 of 320: three classes of nine images, seven of eight
  const Task task = make_task(data, options, 0, 3);
  EXPECT_EQ(task.split.train.size(), 83U);
  EXPECT_EQ(task.split.validation, whole.split.validation);
  EXPECT_EQ(task.data.train.labels, data.train.labels);
  EXPECT_TRUE(std::includes(whole.split.train.begin(), whole.split.train.end(),
                            task.split.train.begin(), task.split.train.end()));
  const auto of_class = counts(task.data, task.split.train);
  for (std::int32_t c = 0; c < 10; ++c) {
    EXPECT_EQ(of_class.at(c), c < 3 ? 9 : 8) << c;
  }
  options.train_share = 0.5;
  const Task half = make_task(data, options, 0, 3);
  EXPECT_EQ(half.split.train.size(), 160U);
  EXPECT_TRUE(std::includes(half.split.train.begin(), half.split.train.end(),
                            task.split.train.begin(), task.split.train.end()));
}

TEST(Task, LabelNoiseIsExactByClassAndTouchesTrainingLabelsAlone) {
  const DataSet data = images();
  const Task whole = make_task(data, {}, 0, 3);
  TaskOptions options;
  options.label_noise = 0.25;
  const Task task = make_task(data, options, 0, 3);
  EXPECT_EQ(task.split.train, whole.split.train);
  EXPECT_EQ(task.split.validation, whole.split.validation);
  EXPECT_EQ(task.data.test.labels, data.test.labels);
  EXPECT_EQ(task.data.train.pixels, data.train.pixels);
  std::map<std::int32_t, int> wrong;
  std::set<std::int32_t> new_labels;
  for (std::size_t i = 0; i < data.train.labels.size(); ++i) {
    if (task.data.train.labels[i] != data.train.labels[i]) {
      EXPECT_TRUE(std::ranges::binary_search(task.split.train, static_cast<std::int64_t>(i)));
      ++wrong[data.train.labels[i]];
      new_labels.insert(task.data.train.labels[i]);
    }
  }
  for (std::int32_t c = 0; c < 10; ++c) {
    EXPECT_EQ(wrong[c], 8) << c;  // a quarter of 32
  }
  EXPECT_EQ(new_labels.size(), 10U);  // 80 draws from nine others each
  EXPECT_EQ(make_task(data, options, 0, 3).data.train.labels, task.data.train.labels);
  EXPECT_NE(make_task(data, options, 0, 4).data.train.labels, task.data.train.labels);
}

TEST(Task, OptionsOutOfRangeAreErrors) {
  const DataSet data = images();
  const auto make = [&](TaskOptions options) { return make_task(data, options, 0, 1); };
  GCG_EXPECT_ERROR(make(TaskOptions{1, 1, 0}), HasSubstr("--class-subset: 1 of 10 classes"));
  GCG_EXPECT_ERROR(make(TaskOptions{11, 1, 0}), HasSubstr("choose 2 to 10"));
  GCG_EXPECT_ERROR(make(TaskOptions{0, 0, 0}), HasSubstr("--train-share: a share of 0"));
  GCG_EXPECT_ERROR(make(TaskOptions{0, 1.5, 0}), HasSubstr("--train-share"));
  GCG_EXPECT_ERROR(make(TaskOptions{0, 0.01, 0}), HasSubstr("leave none of class"));
  GCG_EXPECT_ERROR(make(TaskOptions{0, 1, 1}), HasSubstr("--label-noise: a share of 1"));
  GCG_EXPECT_ERROR(make(TaskOptions{0, 1, -0.1}), HasSubstr("--label-noise"));
}

}  // namespace
}  // namespace gcg
