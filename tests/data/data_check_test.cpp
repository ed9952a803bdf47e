#include "data/data_check.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/random.h"
#include "data/encoded.h"
#include "data/files.h"
#include "data/image_folder.h"
#include "data/procedural.h"

namespace gcg {
namespace {

using test::error_of;
using test::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

DataFacts facts_of(const DataSet& data, std::int64_t threads = 2) {
  return examine(data, threads, [](auto, auto) {});
}

/// Four training and two test images of one byte, in two classes.
DataSet tiny_set() {
  DataSet data;
  data.name = "tiny";
  data.classes = 2;
  data.train = {{1, 1, 1}, {10, 20, 10, 30}, {0, 1, 0, 0}};
  data.test = {{1, 1, 1}, {20, 99}, {1, 1}};
  return data;
}

TEST(Examine, CountsClassesAndImagesThatOccurTwice) {
  const DataFacts facts = facts_of(tiny_set());
  EXPECT_THAT(facts.train.class_counts, ElementsAre(3, 1));
  EXPECT_THAT(facts.test.class_counts, ElementsAre(0, 2));
  EXPECT_EQ(facts.train.duplicates, 1);
  EXPECT_EQ(facts.test.duplicates, 0);
  EXPECT_THAT(facts.shared, ElementsAre(Pair(1, 0)));
}

TEST(Examine, StatisticsOfRawImagesAreThoseRunsNormaliseBy) {
  const DataSet data = make_procedural({200, 30, 0.5, 1});
  const DataFacts facts = facts_of(data, 3);
  EXPECT_EQ(facts.train.statistics.mean, channel_statistics(data.train).mean);
  EXPECT_EQ(facts.train.statistics.deviation, channel_statistics(data.train).deviation);
}

TEST(Examine, LooksAtEncodedImagesAtTheirFullSize) {
  const TemporaryFolder folder;
  test::write_image_folder(folder.path(), 2, 2);
  const DataFacts facts = facts_of(open_image_folder(folder.path(), "imagenet", 16));
  EXPECT_THAT(facts.train.class_counts, ElementsAre(2, 2));
  EXPECT_EQ(facts.train.duplicates, 0);
  EXPECT_EQ(facts.shared.size(), 4U);  // val has the same files
  EXPECT_NEAR(facts.train.statistics.mean[0], (40 + 75) / 255.0, 0.02);
  test::write_bytes(folder / "val/n00000000/image_0.JPEG", {0xFF, 0xD8, 0xFF, 0});
  EXPECT_THAT(error_of([&] { facts_of(open_image_folder(folder.path(), "imagenet", 16)); }),
              HasSubstr("val/n00000000/image_0.JPEG: byte "));
}

TEST(Deviations, AreNoneWhereTheManifestIsRight) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "m.json",
                        R"({"train": {"labels": [3, 1]}, "test": {"labels": [0, 2]},
    "channels": {"mean": [0.0686], "deviation": [0.0325]}})");
  EXPECT_THAT(deviations(facts_of(tiny_set()), read_expected(folder / "m.json")), IsEmpty());
  write_file_atomically(folder / "m.json", "{}");
  EXPECT_THAT(deviations(facts_of(tiny_set()), read_expected(folder / "m.json")), IsEmpty());
}

TEST(Deviations, AreToldOneByOne) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "m.json", R"({"train": {"labels": [2, 2]}, "test": {"labels": [1]},
    "channels": {"mean": [0.0688], "deviation": [0.0325]}})");
  EXPECT_THAT(deviations(facts_of(tiny_set()), read_expected(folder / "m.json")),
              ElementsAre("train: 3 images of class 0, manifest 2",
                          "train: 1 images of class 1, manifest 2", "test: 2 classes, manifest 1",
                          "train: channel mean 0.0686, manifest 0.0688"));
}

TEST(ReadExpected, ErrorsNameTheFile) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "m.json", "{");
  EXPECT_THAT(error_of([&] { read_expected(folder / "m.json"); }), HasSubstr("m.json: byte "));
  write_file_atomically(folder / "m.json", R"({"train": {"labels": "many"}})");
  EXPECT_THAT(error_of([&] { read_expected(folder / "m.json"); }),
              HasSubstr("m.json: train: labels is string, not an array"));
  for (const std::string count : {"1.5", "1e+300", "18446744073709551615", "true"}) {
    write_file_atomically(folder / "m.json", R"({"train": {"labels": [3, )" + count + "]}}");
    EXPECT_THAT(error_of([&] { read_expected(folder / "m.json"); }),
                HasSubstr(fmt::format("m.json: train: labels is {}, not a whole number",
                                      count == "true" ? "boolean" : count)));
  }
}

TEST(ContactSheet, ShowsTheImageAndItsAugmentedForms) {
  DataSet data = make_procedural({30, 10, 0.5, 1});
  const RgbImage sheet = contact_sheet(data, 3, 4, 1);
  EXPECT_EQ(sheet.width, 4 * 34 - 2);
  EXPECT_EQ(sheet.height, 3 * 34 - 2);
  EXPECT_EQ(sheet.pixels.at(3 * 32), 255) << "the line between two tiles";
  // The first tile is the image itself, up to rounding.
  RandomStream stream(1, "contact-sheet");
  const auto first = static_cast<std::size_t>(stream.below(30));
  for (std::size_t p = 0; p < 1024; ++p) {
    const std::size_t at = 3 * (p / 32 * static_cast<std::size_t>(sheet.width) + p % 32);
    for (std::size_t c = 0; c < 3; ++c) {
      ASSERT_NEAR(sheet.pixels.at(at + c), data.train.pixels.at(first * 3072 + c * 1024 + p), 1);
    }
  }
}

}  // namespace
}  // namespace gcg
