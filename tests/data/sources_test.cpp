// A prepared data set knows what it was made from, and says so when that changed.
#include "data/sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "base/file.h"
#include "data/cifar_file.h"
#include "data/encoded.h"
#include "data/files.h"
#include "data/prepare.h"
#include "data/prepared.h"
#include "data/prepared_set.h"
#include "data/procedural.h"
#include "data/samples.h"

namespace gcg {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A tiny CIFAR-10 by this seed, always of the same size.
void write_cifar(const fs::path& folder, std::uint64_t seed) {
  fs::create_directories(folder);
  const DataSet data = make_procedural({40, 20, 0.5, seed});
  test::write_cifar10_file(folder / "data_batch_1.bin", data.train);
  test::write_cifar10_file(folder / "test_batch.bin", data.test);
}

void make_older(const fs::path& path, std::chrono::nanoseconds by) {
  fs::last_write_time(path, fs::last_write_time(path) - by);
}

TEST(Sources, AreRecordedAndReadBackWhateverTheirNames) {
  const TemporaryFolder folder;
  const Sources sources{sha256("set"), "..", {{"a b%0A\nc", 3, -5}, {"d", 0, 7'000'000'001}}};
  write_sources(folder.path(), sources);
  const Sources read = read_sources(folder.path());
  EXPECT_EQ(read.set, sources.set);
  EXPECT_EQ(read.folder, "..");
  ASSERT_EQ(read.files.size(), 2U);
  EXPECT_EQ(read.files[0].name, "a b%0A\nc");
  EXPECT_EQ(read.files[0].bytes, 3);
  EXPECT_EQ(read.files[0].time, -5);
  EXPECT_EQ(sources_digest(read.files), sources_digest(sources.files));
}

TEST(Sources, ARecordThatIsMissingCutOrChangedIsAnError) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { read_sources(folder.path()); }),
              AllOf(HasSubstr("sources.txt: the file is missing"),
                    HasSubstr("run gcg_data_prepare again")));
  write_sources(folder.path(), {sha256("set"), "..", {{"a", 1, 2}, {"b", 3, 4}}});
  std::vector<std::uint8_t> good;
  for (const std::byte byte : read_file(folder / "sources.txt")) {
    good.push_back(std::to_integer<std::uint8_t>(byte));
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::vector<std::uint8_t> changed = good;
    changed[i] ^= 1;
    test::write_bytes(folder / "sources.txt", changed);
    ASSERT_THAT(error_of([&] { read_sources(folder.path()); }),
                HasSubstr("sources.txt: the file does not have its digest"));
    changed = good;
    changed.resize(i);
    test::write_bytes(folder / "sources.txt", changed);
    ASSERT_THAT(error_of([&] { read_sources(folder.path()); }), HasSubstr("sources.txt: "));
  }
}

TEST(Sources, ThatWereReplacedAreNoticedAndPreparedAnew) {
  const TemporaryFolder folder;
  const fs::path to = folder / "prepared";
  write_cifar(folder.path(), 1);
  prepare_data("cifar10", folder.path(), to, {}, {});
  const std::string before = open_prepared(to, "cifar10", 0).digest;
  write_cifar(folder.path(), 2);  // other pixels, the same sizes
  EXPECT_THAT(error_of([&] { open_prepared(to, "cifar10", 0); }),
              AllOf(HasSubstr("data_batch_1.bin was changed since"), HasSubstr("test_batch.bin"),
                    HasSubstr("run gcg_data_prepare --data cifar10 --from " +
                              folder.path().string() + " --to " + to.string())));
  prepare_data("cifar10", folder.path(), to, {}, {});
  EXPECT_NE(open_prepared(to, "cifar10", 0).digest, before);
}

TEST(Sources, OfOtherSizesMissingOrNewAreNoticed) {
  const TemporaryFolder folder;
  const fs::path to = folder / "elsewhere/prepared";
  write_cifar(folder / "from", 1);
  prepare_data("cifar10", folder / "from", to, {}, {});
  const auto error = [&] { return error_of([&] { open_prepared(to, "cifar10", 0); }); };
  fs::copy_file(folder / "from/data_batch_1.bin", folder / "from/data_batch_2.bin");
  EXPECT_THAT(error(), HasSubstr("data_batch_2.bin is new"));
  fs::remove(folder / "from/data_batch_2.bin");
  EXPECT_NO_THROW(open_prepared(to, "cifar10", 0));
  fs::rename(folder / "from/test_batch.bin", folder / "test_batch.bin");
  EXPECT_THAT(error(), HasSubstr("test_batch.bin is missing"));
  fs::rename(folder / "test_batch.bin", folder / "from/test_batch.bin");
  fs::resize_file(folder / "from/test_batch.bin", 3073);
  EXPECT_THAT(error(), HasSubstr("test_batch.bin has 3073 bytes, not 61460"));
}

TEST(Sources, ThatAreGoneAreNoDifference) {
  const TemporaryFolder folder;
  write_cifar(folder / "from", 1);
  prepare_data("cifar10", folder / "from", folder / "to", {}, {});
  fs::remove_all(folder / "from");
  EXPECT_NO_THROW(open_prepared(folder / "to", "cifar10", 0));
}

TEST(Sources, MoveTogetherWithAPreparedFolderInThem) {
  const TemporaryFolder folder;
  write_cifar(folder / "a", 1);
  prepare_data("cifar10", folder / "a", folder / "a/prepared", {}, {});
  fs::rename(folder / "a", folder / "b");
  EXPECT_NO_THROW(open_prepared(folder / "b/prepared", "cifar10", 0));
  make_older(folder / "b/test_batch.bin", std::chrono::hours(1));
  EXPECT_THAT(error_of([&] { open_prepared(folder / "b/prepared", "cifar10", 0); }),
              HasSubstr("test_batch.bin was changed since"));
}

TEST(Sources, WithTimesOfWholeSecondsAreTheSame) {
  const TemporaryFolder folder;
  write_cifar(folder.path(), 1);
  prepare_data("cifar10", folder.path(), folder / "prepared", {}, {});
  for (const char* name : {"data_batch_1.bin", "test_batch.bin"}) {
    const auto time = fs::last_write_time(folder / name);
    fs::last_write_time(folder / name, std::chrono::floor<std::chrono::seconds>(time));
  }
  EXPECT_NO_THROW(open_prepared(folder / "prepared", "cifar10", 0));
}

TEST(Sources, OfTheSameContentAndOtherTimesKeepThePreparedPixels) {
  const TemporaryFolder folder;
  const fs::path to = folder / "prepared";
  write_cifar(folder.path(), 1);
  prepare_data("cifar10", folder.path(), to, {}, {});
  const auto written = fs::last_write_time(to / "train.images");
  make_older(folder / "data_batch_1.bin", std::chrono::hours(1));
  EXPECT_THAT(error_of([&] { open_prepared(to, "cifar10", 0); }), HasSubstr("was changed since"));
  prepare_data("cifar10", folder.path(), to, {}, {});
  EXPECT_EQ(fs::last_write_time(to / "train.images"), written);
  EXPECT_NO_THROW(open_prepared(to, "cifar10", 0));
}

TEST(Sources, AnImageThatWasRepairedIsTakenIn) {
  const TemporaryFolder folder;
  test::write_image_folder(folder.path(), 2, 3);
  const fs::path image = folder / "train/n00000001/image_2.JPEG";
  const std::vector<std::byte> good = read_file(image);
  std::vector<std::byte> damaged = good;
  std::fill(damaged.begin() + 20, damaged.end(), std::byte{});  // of the same size
  write_file_atomically(image, damaged);
  PrepareSettings settings;
  settings.skip_damaged = true;
  const fs::path to = folder / "prepared";
  prepare_data("imagenet", folder.path(), to, {}, settings);
  EXPECT_EQ(open_prepared(to, "imagenet", 32).train.size(), 5);
  write_file_atomically(image, good);
  EXPECT_THAT(error_of([&] { open_prepared(to, "imagenet", 32); }),
              HasSubstr("train/n00000001/image_2.JPEG was changed since"));
  EXPECT_TRUE(prepare_data("imagenet", folder.path(), to, {}, settings).damaged.train.empty());
  EXPECT_EQ(open_prepared(to, "imagenet", 32).train.size(), 6);
  test::write_image(folder / "val/n00000000/more.JPEG", test::smooth_image(20, 20));
  EXPECT_THAT(error_of([&] { open_prepared(to, "imagenet", 32); }),
              HasSubstr("val/n00000000/more.JPEG is new"));
}

TEST(MappedFile, ThatIsCutOrOverwrittenWhileItIsReadIsAnError) {
  const TemporaryFolder folder;
  const fs::path to = folder / "prepared";
  write_cifar(folder.path(), 1);
  for (const bool cut : {true, false}) {
    fs::remove_all(to);
    prepare_data("cifar10", folder.path(), to, {}, {});
    const DataSet data = open_prepared(to, "cifar10", 0);
    const SampleMaker samples(data.train, normalisation(data), 1);
    std::vector<float> sample(3072);
    SampleMaker::Scratch scratch;
    samples.make(39, {}, 0, sample, scratch);
    make_older(to / "train.images", std::chrono::seconds(-1));
    if (cut) {
      fs::resize_file(to / "train.images", kPreparedDataStart);
    }
    const auto says_so = AllOf(HasSubstr("train.images: the file was changed while it was in use"),
                               HasSubstr("remedy: "));
    EXPECT_THAT(error_of([&] { samples.make(39, {}, 0, sample, scratch); }), says_so);
    EXPECT_THAT(error_of([&] { static_cast<void>(data.train.prepared->image(3)); }), says_so);
  }
}

}  // namespace
}  // namespace gcg
