#include "data/datasets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

#include "data/cifar_file.h"
#include "data/files.h"
#include "data/prepare.h"

namespace gcg {
namespace {

using test::error_of;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// GCG_DATA with another value (nullptr: unset) for the time of a test.
class DataVariable {
 public:
  explicit DataVariable(const char* value) {
    if (const char* before = std::getenv("GCG_DATA")) {
      before_ = before;
    }
    set(value);
  }
  ~DataVariable() { set(before_ ? before_->c_str() : nullptr); }
  DataVariable(const DataVariable&) = delete;
  DataVariable& operator=(const DataVariable&) = delete;

 private:
  static void set(const char* value) {
    if (value == nullptr) {
      ::unsetenv("GCG_DATA");
    } else {
      ::setenv("GCG_DATA", value, 1);
    }
  }
  std::optional<std::string> before_;
};

std::vector<std::string> option_names(const OptionList& list) {
  std::vector<std::string> names;
  for (const Option& option : list.options()) {
    names.push_back(option.name);
  }
  return names;
}

/// A folder with one training and one test record of every class.
void write_tiny_cifar(const test::TemporaryFolder& folder) {
  ImageSet images{{3, 32, 32}, std::vector<std::uint8_t>(10 * 3072, 7), {}};
  for (std::int32_t label = 0; label < 10; ++label) {
    images.labels.push_back(label);
  }
  test::write_cifar10_file(folder / "data_batch_1.bin", images);
  test::write_cifar10_file(folder / "test_batch.bin", images);
}

TEST(DataSources, AreListedInOrderAndFoundByName) {
  std::vector<std::string_view> names;
  for (const DataSourceEntry& entry : data_source_table()) {
    names.push_back(entry.name);
    EXPECT_NE(make_data_source(entry.name), nullptr);
    EXPECT_FALSE(entry.about.empty());
    EXPECT_FALSE(entry.reference.empty());
  }
  EXPECT_THAT(names, ElementsAre("procedural", "teacher", "cifar10", "cifar100", "tinyimagenet",
                                 "imagenet", "idx"));
}

TEST(DataSources, UnknownNameIsAUsageErrorThatListsTheKnownOnes) {
  EXPECT_THROW(make_data_source("mnist"), UsageError);
  EXPECT_THAT(
      error_of([] { make_data_source("mnist"); }),
      HasSubstr("--data: 'mnist' is none of: procedural, teacher, cifar10, cifar100, tinyimagenet, "
                "imagenet, idx"));
}

TEST(DataSources, ProceduralOptionsReachTheImages) {
  const auto source = make_data_source("procedural");
  OptionList list;
  source->add_options(list);
  EXPECT_THAT(option_names(list),
              ElementsAre("data-images", "data-test-images", "difficulty", "data-seed"));
  for (const Option& option : list.options()) {
    EXPECT_TRUE(option.affects_result()) << option.name;
  }
  list.set("data-images", "30");
  list.set("data-test-images", "20");
  const DataSet data = source->load();
  EXPECT_EQ(data.train.size(), 30);
  EXPECT_EQ(data.test.size(), 20);
  list.set("difficulty", "0.25");
  const std::string easier = source->load().digest;
  EXPECT_NE(easier, data.digest);
  list.set("data-seed", "2");
  EXPECT_NE(source->load().digest, easier);
}

TEST(DataSources, ProceduralOptionsHaveRanges) {
  const auto source = make_data_source("procedural");
  OptionList list;
  source->add_options(list);
  EXPECT_THROW(list.set("data-images", "9"), UsageError);
  EXPECT_THROW(list.set("data-test-images", "1000001"), UsageError);
  EXPECT_THROW(list.set("difficulty", "1.1"), UsageError);
  EXPECT_THROW(list.set("data-seed", "-1"), UsageError);
}

TEST(DataSources, FolderIsNoPartOfARunsIdentity) {
  for (const auto& [name, options] :
       {std::pair<const char*, std::vector<std::string>>{"cifar10", {"data-dir"}},
        {"tinyimagenet", {"data-dir", "pass-over"}},
        {"idx", {"data-dir", "idx-labels"}}}) {
    const auto source = make_data_source(name);
    OptionList list;
    source->add_options(list);
    EXPECT_EQ(option_names(list), options);
    EXPECT_FALSE(list.find("data-dir")->affects_result());
    EXPECT_EQ(list.find("data-dir")->default_text, "");
  }
}

TEST(DataSources, FolderIsTheOptionsBeforeTheEnvironments) {
  const test::TemporaryFolder folder;
  write_tiny_cifar(folder);
  const auto source = make_data_source("cifar10");
  OptionList list;
  source->add_options(list);
  {
    const DataVariable variable(folder.path().c_str());
    EXPECT_EQ(source->load().train.size(), 10);
  }
  {
    const DataVariable variable("/nowhere");
    EXPECT_THAT(error_of([&] { source->load(); }), HasSubstr("/nowhere: "));
    list.set("data-dir", folder.path().string());
    EXPECT_EQ(source->load().train.size(), 10);
  }
}

TEST(DataSources, ClassesWithoutImagesAreAnError) {
  const test::TemporaryFolder folder;
  const ImageSet images{{3, 32, 32}, std::vector<std::uint8_t>(3072, 7), {4}};
  test::write_cifar10_file(folder / "data_batch_1.bin", images);
  test::write_cifar10_file(folder / "test_batch.bin", images);
  const auto source = make_data_source("cifar10");
  OptionList list;
  source->add_options(list);
  list.set("data-dir", folder.path().string());
  const auto names_them = AllOf(HasSubstr("9 of 10 classes have no training images: 0, 1, 2, 3, 5"),
                                HasSubstr("remedy: "));
  EXPECT_THAT(error_of([&] { source->load(); }), names_them);
  EXPECT_THAT(
      error_of([&] { prepare_data("cifar10", folder.path(), folder / "prepared", {}, {}); }),
      names_them);
}

TEST(DataSources, WithoutAFolderTheErrorTeachesWhereTheDataComeFrom) {
  for (const char* value : {static_cast<const char*>(nullptr), ""}) {
    const DataVariable variable(value);
    EXPECT_THROW(make_data_source("cifar10")->load(), UsageError);
    EXPECT_THAT(error_of([] { make_data_source("cifar10")->load(); }),
                AllOf(HasSubstr("--data-dir: no folder is given, and GCG_DATA is not set"),
                      HasSubstr("cifar-10-binary.tar.gz"), HasSubstr("--data procedural")));
    EXPECT_THAT(error_of([] { make_data_source("idx")->load(); }),
                AllOf(HasSubstr("train-images-idx3-ubyte"), HasSubstr("gunzip")));
  }
}

TEST(DataSources, PreparedFormTakesThePlaceOfTheFiles) {
  const test::TemporaryFolder folder;
  write_tiny_cifar(folder);
  const auto source = make_data_source("cifar10");
  OptionList list;
  source->add_options(list);
  list.set("data-dir", folder.path().string());
  const std::string digest = source->load().digest;
  prepare_data("cifar10", folder.path(), folder / "prepared", {}, {});
  std::filesystem::remove(folder / "data_batch_1.bin");
  std::filesystem::remove(folder / "test_batch.bin");
  const DataSet data = source->load();
  EXPECT_NE(data.train.prepared, nullptr);
  EXPECT_EQ(data.digest, digest);
}

TEST(DataSources, WhatChangesTheImagesIsPartOfARunsIdentity) {
  const auto cifar100 = make_data_source("cifar100");
  const auto imagenet = make_data_source("imagenet");
  OptionList list;
  cifar100->add_options(list);
  EXPECT_TRUE(list.find("cifar100-labels")->affects_result);
  OptionList other;
  imagenet->add_options(other);
  EXPECT_TRUE(other.find("image-edge")->affects_result);
  EXPECT_THROW(other.set("image-edge", "7"), UsageError);
}

}  // namespace
}  // namespace gcg
