// The prepared form: what is written comes back, what is damaged is found, what is interrupted goes
// on.
#include "data/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>

#include "base/file.h"
#include "base/folder_lock.h"
#include "data/batches.h"
#include "data/cifar_file.h"
#include "data/encoded.h"
#include "data/files.h"
#include "data/idx.h"
#include "data/prepared.h"
#include "data/prepared_set.h"
#include "data/procedural.h"
#include "data/resample.h"

namespace gcg {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A split of `count` encoded "images", texts of different lengths.
PreparedSplit text_split(std::int64_t count) {
  PreparedSplit split;
  split.name = "texts";
  split.split = "train";
  split.encoded = true;
  split.classes = {"a", "b", "c"};
  for (std::int64_t i = 0; i < count; ++i) {
    split.labels.push_back(static_cast<std::int32_t>(i % 3));
  }
  split.source = "test 1";
  split.image = [](std::int64_t i) {
    return bytes_of("image " + std::string(i % 7, '.') + std::to_string(i));
  };
  return split;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(Prepare, WhatIsWrittenComesBack) {
  const TemporaryFolder folder;
  const PreparedSplit split = text_split(1000);
  EXPECT_THAT(write_prepared(folder.path(), split, {3}), IsEmpty());
  EXPECT_THAT(names_in(folder.path()), ElementsAre("train.images"));
  const PreparedFile file(prepared_path(folder.path(), "train"));
  EXPECT_EQ(file.name(), "texts");
  EXPECT_EQ(file.split(), "train");
  EXPECT_TRUE(file.encoded());
  EXPECT_THAT(file.classes(), ElementsAre("a", "b", "c"));
  ASSERT_EQ(file.size(), 1000);
  for (std::int64_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(text_of(file.image(i)), text_of(split.image(i)));
    ASSERT_EQ(file.label(i), i % 3);
  }
}

TEST(Prepare, TheFileDoesNotDependOnTheNumberOfThreads) {
  const TemporaryFolder one;
  const TemporaryFolder many;
  write_prepared(one.path(), text_split(500), {1});
  write_prepared(many.path(), text_split(500), {5});
  EXPECT_EQ(read_file(prepared_path(one.path(), "train")),
            read_file(prepared_path(many.path(), "train")));
}

TEST(Prepare, AFinishedFileOfTheSameSourceIsLeftAsItIs) {
  const TemporaryFolder folder;
  PreparedSplit split = text_split(20);
  write_prepared(folder.path(), split, {});
  int made = 0;
  split.image = [&](std::int64_t i) {
    ++made;
    return bytes_of("other " + std::to_string(i));
  };
  write_prepared(folder.path(), split, {});
  EXPECT_EQ(made, 0);
  split.source = "test 2";
  write_prepared(folder.path(), split, {});
  EXPECT_EQ(made, 20);
  EXPECT_EQ(text_of(PreparedFile(prepared_path(folder.path(), "train")).image(3)), "other 3");
}

TEST(Prepare, GoesOnBehindTheLastWholeImage) {
  const TemporaryFolder whole;
  write_prepared(whole.path(), text_split(400), {1});
  // Blocks of 64 images: the third one fails.
  const TemporaryFolder folder;
  PreparedSplit split = text_split(400);
  const auto image = split.image;
  std::vector<std::int64_t> made;
  bool broken = true;
  split.image = [&](std::int64_t i) {
    if (broken && i == 150) {
      throw Error("here", "interrupted");
    }
    made.push_back(i);
    return image(i);
  };
  EXPECT_THAT(error_of([&] { write_prepared(folder.path(), split, {1}); }),
              HasSubstr("interrupted"));
  EXPECT_THAT(names_in(folder.path()), ElementsAre("train.images.journal", "train.images.partial"));
  broken = false;
  made.clear();
  write_prepared(folder.path(), split, {1});
  EXPECT_EQ(made.front(), 128);
  EXPECT_EQ(made.size(), 272U);
  EXPECT_EQ(read_file(prepared_path(folder.path(), "train")),
            read_file(prepared_path(whole.path(), "train")));
}

TEST(Prepare, DoesNotTrustWhatAnInterruptionLeftDamaged) {
  const TemporaryFolder whole;
  write_prepared(whole.path(), text_split(200), {1});
  const auto interrupted = [](const TemporaryFolder& folder) {
    PreparedSplit split = text_split(200);
    const auto image = split.image;
    split.image = [&](std::int64_t i) {
      return i == 190 ? throw Error("here", "interrupted") : image(i);
    };
    error_of([&] { write_prepared(folder.path(), split, {1}); });
  };
  const auto goes_on = [&](const TemporaryFolder& folder) {
    write_prepared(folder.path(), text_split(200), {1});
    return read_file(prepared_path(folder.path(), "train")) ==
           read_file(prepared_path(whole.path(), "train"));
  };
  {
    const TemporaryFolder folder;  // an image lost after the journal told of it
    interrupted(folder);
    fs::resize_file(folder / "train.images.partial", kPreparedDataStart + 300);
    EXPECT_TRUE(goes_on(folder));
  }
  {
    const TemporaryFolder folder;  // a byte changed
    interrupted(folder);
    std::fstream file(folder / "train.images.partial",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(kPreparedDataStart + 500);
    file.put('#');
    file.close();
    EXPECT_TRUE(goes_on(folder));
  }
  {
    const TemporaryFolder folder;  // half a line in the journal
    interrupted(folder);
    fs::resize_file(folder / "train.images.journal",
                    fs::file_size(folder / "train.images.journal") - 20);
    EXPECT_TRUE(goes_on(folder));
  }
  {
    const TemporaryFolder folder;  // garbage in the journal
    interrupted(folder);
    write_file_atomically(folder / "train.images.journal", "image 12 abc\n");
    EXPECT_TRUE(goes_on(folder));
  }
  {
    const TemporaryFolder folder;  // begun for another source
    interrupted(folder);
    PreparedSplit other = text_split(200);
    other.source = "test 2";
    other.image = [](std::int64_t) { return bytes_of("same"); };
    write_prepared(folder.path(), other, {});
    EXPECT_EQ(text_of(PreparedFile(prepared_path(folder.path(), "train")).image(0)), "same");
  }
}

TEST(Prepare, DamagedImagesAreLeftOutAndListedIfAskedFor) {
  const TemporaryFolder folder;
  PreparedSplit split = text_split(200);
  const auto image = split.image;
  split.image = [&](std::int64_t i) {
    return i == 0 || i == 130 ? throw Error("file " + std::to_string(i), "damaged") : image(i);
  };
  PrepareSettings settings;
  EXPECT_THAT(error_of([&] { write_prepared(folder.path(), split, settings); }),
              HasSubstr("file 0: damaged"));
  settings.skip_damaged = true;
  const std::vector<std::string> damaged = write_prepared(folder.path(), split, settings);
  EXPECT_THAT(damaged, ElementsAre("file 0: damaged", "file 130: damaged"));
  const PreparedFile file(prepared_path(folder.path(), "train"));
  ASSERT_EQ(file.size(), 198);
  EXPECT_EQ(text_of(file.image(0)), text_of(image(1)));
  EXPECT_EQ(file.label(0), 1);
  EXPECT_EQ(text_of(file.image(197)), text_of(image(199)));
}

TEST(Prepare, TheListOfWhatWasLeftOutStaysWithTheFile) {
  const TemporaryFolder folder;
  PreparedSplit split = text_split(6);
  const auto image = split.image;
  split.left_out = {"by the reader: damaged\n  remedy: none"};
  split.image = [&](std::int64_t i) { return i == 1 ? throw Error("here", "damaged") : image(i); };
  PrepareSettings settings;
  settings.skip_damaged = true;
  const auto is_the_list = ElementsAre("by the reader: damaged   remedy: none", "here: damaged");
  EXPECT_THAT(write_prepared(folder.path(), split, settings), is_the_list);
  EXPECT_THAT(names_in(folder.path()), ElementsAre("train.images", "train.left_out.txt"));
  // Another split was interrupted: this one is not made again, but its list is not lost.
  EXPECT_THAT(write_prepared(folder.path(), split, settings), is_the_list);
  // Now the images were mended.
  PreparedSplit mended = text_split(6);
  mended.source = "test 2";
  EXPECT_THAT(write_prepared(folder.path(), mended, settings), IsEmpty());
  EXPECT_THAT(names_in(folder.path()), ElementsAre("train.images"));
}

TEST(Prepare, NothingLeftIsAnError) {
  const TemporaryFolder folder;
  PreparedSplit split = text_split(3);
  split.image = [](std::int64_t) -> std::vector<std::byte> { throw Error("x", "damaged"); };
  PrepareSettings settings;
  settings.skip_damaged = true;
  EXPECT_THAT(error_of([&] { write_prepared(folder.path(), split, settings); }),
              HasSubstr("train, class 'a': every image of the class is damaged"));
  // A class alone is enough.
  const auto image = text_split(3).image;
  split.image = [&](std::int64_t i) { return i == 1 ? throw Error("x", "damaged") : image(i); };
  EXPECT_THAT(error_of([&] { write_prepared(folder.path(), split, settings); }),
              HasSubstr("train, class 'b': every image of the class is damaged"));
  EXPECT_FALSE(fs::exists(prepared_path(folder.path(), "train")));
}

TEST(Prepare, AFullDiskIsAnErrorAndTheSameCallGoesOn) {
  const TemporaryFolder whole;
  write_prepared(whole.path(), text_split(2000), {1});
  const TemporaryFolder folder;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{static_cast<rlim_t>(kPreparedDataStart) + 9000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string error = error_of([&] { write_prepared(folder.path(), text_split(2000), {1}); });
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_THAT(error, AllOf(HasSubstr(folder.path().string()), HasSubstr("cannot write")));
  EXPECT_FALSE(fs::exists(prepared_path(folder.path(), "train")));
  write_prepared(folder.path(), text_split(2000), {1});
  EXPECT_EQ(read_file(prepared_path(folder.path(), "train")),
            read_file(prepared_path(whole.path(), "train")));
}

/// Files of a tiny CIFAR-10 in `folder`, and what they hold.
DataSet write_cifar(const fs::path& folder) {
  fs::create_directories(folder);
  const DataSet data = make_procedural({40, 20, 0.5, 1});
  test::write_cifar10_file(folder / "data_batch_1.bin", data.train);
  test::write_cifar10_file(folder / "test_batch.bin", data.test);
  return read_cifar10(folder);
}

TEST(PrepareData, ARunningProcessHasTheFolderForItself) {
  const TemporaryFolder folder;
  write_cifar(folder.path());
  const fs::path to = folder / "prepared";
  fs::create_directories(to);
  const FolderLock lock(to);
  EXPECT_THAT(error_of([&] { prepare_data("cifar10", folder.path(), to, {}, {}); }),
              HasSubstr("another process is working in this folder"));
}

TEST(PrepareData, RawImagesAreTheSameDataSetAsTheFilesTheyCameFrom) {
  const TemporaryFolder folder;
  const DataSet read = write_cifar(folder.path());
  prepare_data("cifar10", folder.path(), folder / "prepared", {}, {2});
  ASSERT_EQ(find_prepared(folder.path()), folder.path() / "prepared");
  const DataSet mapped = open_prepared(folder / "prepared", "cifar10", 0);
  EXPECT_EQ(mapped.digest, read.digest);
  EXPECT_EQ(mapped.classes, 10);
  EXPECT_EQ(mapped.train.labels, read.train.labels);
  EXPECT_EQ(mapped.flip, read.flip);
  EXPECT_EQ(mapped.crop_padding, read.crop_padding);
  EXPECT_EQ(data_digest(mapped.train, mapped.test), read.digest);
  const std::vector<std::int64_t> positions{3, 17, 0};
  BatchMaker from_files(read.train, normalisation(read), 1);
  BatchMaker from_map(mapped.train, normalisation(mapped), 1);
  const Batch a = from_files.augmented(positions, {4, true}, 2);
  const Batch b = from_map.augmented(positions, {4, true}, 2);
  EXPECT_TRUE(std::equal(a.images.begin(), a.images.end(), b.images.begin(), b.images.end()));
}

TEST(PrepareData, EncodedImagesAreKeptOrScaledDown) {
  const TemporaryFolder folder;
  test::write_image_folder(folder.path(), 2, 3);
  test::write_image(folder / "train/n00000000/large.JPEG", test::smooth_image(200, 100));
  write_file_atomically(folder / "train/n00000001/png.JPEG",
                        encode_png(test::smooth_image(30, 20)));
  prepare_data("imagenet", folder.path(), folder / "kept", {}, {2});
  prepare_data("imagenet", folder.path(), folder / "scaled", {50, 90}, {2});
  const ImageLists lists = list_image_folder(folder.path());
  const PreparedFile kept(prepared_path(folder / "kept", "train"));
  const PreparedFile scaled(prepared_path(folder / "scaled", "train"));
  for (std::int64_t i = 0; i < kept.size(); ++i) {
    const std::vector<std::byte> file = read_file(lists.train.files.at(i));
    EXPECT_EQ(text_of(kept.image(i)), text_of(file));
    const RgbImage before = decode_image(file, "x");
    const RgbImage after = decode_image(scaled.image(i), "x");
    if (std::min(before.width, before.height) <= 50) {
      EXPECT_LE(test::difference(before, after), 16);  // PNG became JPEG with half the chroma
    } else {
      EXPECT_EQ(after.width, 100);
      EXPECT_EQ(after.height, 50);
      EXPECT_LE(test::difference(after, resampled(before, {0, 0, 200, 100}, 100, 50)), 9);
    }
    EXPECT_TRUE(is_jpeg(scaled.image(i)));
  }
  EXPECT_NE(open_prepared(folder / "kept", "imagenet", 32).digest,
            open_prepared(folder / "scaled", "imagenet", 32).digest);
}

TEST(PrepareData, DamagedFilesAreLeftOutOfAnEncodedSetIfAskedFor) {
  const TemporaryFolder folder;
  test::write_image_folder(folder.path(), 2, 3);
  const fs::path damaged = folder / "val/n00000001/image_2.JPEG";
  fs::resize_file(damaged, fs::file_size(damaged) / 2);
  PrepareSettings settings;
  EXPECT_THAT(
      error_of([&] { prepare_data("imagenet", folder.path(), folder / "to", {}, settings); }),
      HasSubstr(damaged.string() + ": byte "));
  settings.skip_damaged = true;
  const LeftOut list = prepare_data("imagenet", folder.path(), folder / "to", {}, settings).damaged;
  EXPECT_THAT(list.train, IsEmpty());
  EXPECT_THAT(list.test, ElementsAre(HasSubstr(damaged.string())));
  EXPECT_EQ(open_prepared(folder / "to", "imagenet", 32).test.size(), 5);
}

TEST(PrepareData, TheLongerSideIsRoundedDown) {
  // As torchvision's Resize: int(256 x 499 / 333) = 383.
  const std::vector<std::byte> file = test::jpeg_file(test::smooth_image(333, 499));
  const RgbImage scaled = decode_image(stored_form(file, "x", {256, 90}), "x");
  EXPECT_EQ(scaled.width, 256);
  EXPECT_EQ(scaled.height, 383);
  const RgbImage wide =
      decode_image(stored_form(test::jpeg_file(test::smooth_image(500, 375)), "x", {256, 90}), "x");
  EXPECT_EQ(wide.width, 341);
  EXPECT_EQ(wide.height, 256);
}

/// Two training and two test images of each of two digits.
void write_idx(const fs::path& folder, std::uint8_t first_label) {
  for (const std::string part : {"train", "t10k"}) {
    std::vector<std::uint8_t> images{0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 3};
    std::vector<std::uint8_t> labels{0, 0, 8, 1, 0, 0, 0, 4};
    for (std::uint8_t i = 0; i < 4; ++i) {
      images.insert(images.end(), 6, static_cast<std::uint8_t>(40 * i));
      labels.push_back(static_cast<std::uint8_t>(first_label + i % 2));
    }
    test::write_bytes(folder / (part + "-images-idx3-ubyte"), images);
    test::write_bytes(folder / (part + "-labels-idx1-ubyte"), labels);
  }
}

TEST(PrepareData, IdxFilesHaveAPreparedFormToo) {
  const TemporaryFolder folder;
  write_idx(folder.path(), 0);
  prepare_data("idx", folder.path(), folder / "prepared", {}, {});
  const DataSet read = read_idx_folder(folder.path(), "idx");
  const DataSet mapped = open_prepared(folder / "prepared", "idx", 0);
  EXPECT_EQ(mapped.digest, read.digest);
  EXPECT_EQ(mapped.flip, read.flip);
  EXPECT_EQ(mapped.crop_padding, read.crop_padding);
  EXPECT_EQ(mapped.train.shape, read.train.shape);
  EXPECT_EQ(mapped.train.labels, read.train.labels);
}

TEST(PrepareData, IdxLabelsAreNumberedAnewIfAskedFor) {
  const TemporaryFolder folder;
  write_idx(folder.path(), 5);
  EXPECT_THAT(error_of([&] { prepare_data("idx", folder.path(), folder / "prepared", {}, {}); }),
              HasSubstr("no image has label 0"));
  prepare_data("idx-consecutive", folder.path(), folder / "prepared", {}, {});
  const DataSet mapped = open_prepared(folder / "prepared", "idx-consecutive", 0);
  EXPECT_EQ(mapped.classes, 2);
  EXPECT_THAT(mapped.class_names, ElementsAre("5", "6"));
  EXPECT_THAT(mapped.train.labels, ElementsAre(0, 1, 0, 1));
}

TEST(PrepareData, IdxFilesPreparedUnderAnotherNameReplaceThoseOfTheFirst) {
  const TemporaryFolder folder;
  write_idx(folder.path(), 0);  // the same pixels, labels and classes under both names
  const fs::path to = folder / "prepared";
  prepare_data("idx", folder.path(), to, {}, {});
  EXPECT_THAT(error_of([&] { open_prepared(to, "idx-consecutive", 0); }),
              AllOf(HasSubstr("holds 'idx', part 'train', not 'idx-consecutive', part 'train'"),
                    HasSubstr("gcg_data_prepare --data idx-consecutive")));
  prepare_data("idx-consecutive", folder.path(), to, {}, {});
  EXPECT_EQ(open_prepared(to, "idx-consecutive", 0).classes, 2);
}

TEST(PrepareData, AChangedListOfClassesIsPreparedAnew) {
  const TemporaryFolder folder;
  write_cifar(folder.path());
  const fs::path to = folder / "prepared";
  write_file_atomically(folder / "batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
  prepare_data("cifar10", folder.path(), to, {}, {});
  write_file_atomically(folder / "batches.meta.txt", "A\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  EXPECT_THAT(error_of([&] { open_prepared(to, "cifar10", 0); }), HasSubstr("batches.meta.txt"));
  prepare_data("cifar10", folder.path(), to, {}, {});
  EXPECT_EQ(open_prepared(to, "cifar10", 0).class_names.at(0), "A");
}

TEST(PrepareData, DamagedImagesThatComeLaterOrGoAreToldThoughThePixelsStay) {
  const TemporaryFolder folder;
  test::write_tinyimagenet(folder.path());
  const fs::path to = folder / "prepared";
  const fs::path damaged = folder / "train/n01/images/n01_7.JPEG";
  PrepareSettings settings;
  settings.skip_damaged = true;
  const auto left_out = [&] {
    return prepare_data("tinyimagenet", folder.path(), to, {}, settings).damaged.train;
  };
  EXPECT_THAT(left_out(), IsEmpty());
  write_file_atomically(damaged, "\xFF\xD8\xFF");
  EXPECT_THAT(left_out(), ElementsAre(HasSubstr("n01_7.JPEG")));
  EXPECT_TRUE(fs::exists(to / "train.left_out.txt"));
  fs::remove(damaged);
  EXPECT_THAT(left_out(), IsEmpty());
  EXPECT_FALSE(fs::exists(to / "train.left_out.txt"));
}

TEST(PrepareData, ASourceFolderThatDoesNotExistIsNotMade) {
  const TemporaryFolder folder;
  EXPECT_THAT(
      error_of([&] { prepare_data("cifar10", folder / "typo", folder / "typo/prepared", {}, {}); }),
      HasSubstr("typo: there is no such folder"));
  EXPECT_FALSE(fs::exists(folder / "typo"));
}

TEST(PrepareData, ARenameThatFailsLeavesTheFinishedFileAndWhatWasMade) {
  const TemporaryFolder folder;
  PreparedSplit split = text_split(20);
  write_prepared(folder.path(), split, {});
  // A folder in the way of the file: it cannot be replaced.
  const fs::path path = prepared_path(folder.path(), "train");
  fs::rename(path, folder / "before");
  fs::create_directories(path / "in the way");
  EXPECT_THAT(error_of([&] { write_prepared(folder.path(), split, {}); }),
              HasSubstr("cannot rename the finished file"));
  EXPECT_TRUE(fs::exists(path / "in the way"));
  EXPECT_TRUE(fs::exists(folder / "train.images.partial"));
  fs::remove_all(path);
  int made = 0;
  split.image = [&](std::int64_t i) {
    ++made;
    return text_split(20).image(i);
  };
  write_prepared(folder.path(), split, {});
  EXPECT_EQ(made, 0);
  EXPECT_EQ(read_file(path), read_file(folder / "before"));
}

TEST(PrepareData, TemporaryFilesOfAKilledProcessAreRemoved) {
  const TemporaryFolder folder;
  write_cifar(folder.path());
  const fs::path to = folder / "prepared";
  fs::create_directories(to);
  for (const char* name : {"train.images.4711.tmp", "sources.txt.4711.tmp", ".write-probe.4711"}) {
    write_file_atomically(to / name, "x");
  }
  prepare_data("cifar10", folder.path(), to, {}, {});
  EXPECT_THAT(names_in(to), ElementsAre(".lock", "sources.txt", "test.images", "train.images"));
}

TEST(PrepareData, ADamagedFileOrOneOfAnotherVersionIsReplaced) {
  const TemporaryFolder folder;
  write_prepared(folder.path(), text_split(20), {});
  const fs::path path = prepared_path(folder.path(), "train");
  const std::vector<std::byte> good = read_file(path);
  PreparedHeader header;
  std::memcpy(&header, good.data(), sizeof header);
  header.version = 1;
  header.header_digest = prepared_header_digest(header);
  std::vector<std::byte> old = good;
  std::memcpy(old.data(), &header, sizeof header);
  write_file_atomically(path, old);
  EXPECT_THAT(error_of([&] { PreparedFile{path}; }),
              AllOf(HasSubstr("layout version 1, but this program reads version 2"),
                    HasSubstr("run gcg_data_prepare again: it replaces the file")));
  write_prepared(folder.path(), text_split(20), {});
  EXPECT_EQ(read_file(path), good);
  fs::resize_file(path, 5000);
  write_prepared(folder.path(), text_split(20), {});
  EXPECT_EQ(read_file(path), good);
}

TEST(PrepareData, UnknownNamesAreAUsageError) {
  const TemporaryFolder folder;
  EXPECT_THROW(prepare_data("mnist", folder.path(), folder / "to", {}, {}), UsageError);
}

TEST(PreparedFile, AChangedBitAnywhereIsFound) {
  const TemporaryFolder folder;
  write_prepared(folder.path(), text_split(9), {});
  const fs::path path = prepared_path(folder.path(), "train");
  const std::vector<std::byte> good = read_file(path);
  PreparedHeader header;
  std::memcpy(&header, good.data(), sizeof header);
  const auto images_end = static_cast<std::size_t>(kPreparedDataStart + header.image_bytes);
  for (std::size_t i = 0; i < good.size(); ++i) {
    // The zeros behind the header and before the table say nothing.
    if ((i >= sizeof header && i < static_cast<std::size_t>(kPreparedDataStart)) ||
        (i >= images_end && i < (images_end + 7) / 8 * 8)) {
      continue;
    }
    const auto put = [&](std::byte byte) {
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(i));
      file.put(static_cast<char>(byte));
    };
    put(good[i] ^ std::byte{0x10});
    ASSERT_THAT(error_of([&] { PreparedFile(path).check_images(1); }),
                HasSubstr(path.string() + ": byte "))
        << "byte " << i;
    put(good[i]);
  }
}

TEST(PreparedFile, CutAnywhereIsAnError) {
  const TemporaryFolder folder;
  write_prepared(folder.path(), text_split(5), {});
  const fs::path path = prepared_path(folder.path(), "train");
  const std::vector<std::byte> good = read_file(path);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{239},
                                 std::size_t{4095}, std::size_t{4096}, good.size() - 1}) {
    write_file_atomically(path, std::span(good).first(size));
    EXPECT_THAT(error_of([&] { PreparedFile file(path); }), HasSubstr(": byte ")) << size;
  }
}

TEST(OpenPrepared, FilesMustBeWhatIsAskedForAndBelongTogether) {
  const TemporaryFolder folder;
  write_cifar(folder / "a");
  prepare_data("cifar10", folder / "a", folder / "a/prepared", {}, {});
  EXPECT_THAT(error_of([&] { open_prepared(folder / "a/prepared", "cifar100-fine", 0); }),
              HasSubstr("holds 'cifar10', part 'train', not 'cifar100-fine', part 'train'"));
  fs::create_directories(folder / "b");
  DataSet other = make_procedural({20, 20, 0.5, 2});
  test::write_cifar10_file(folder / "b/data_batch_1.bin", other.train);
  test::write_cifar10_file(folder / "b/test_batch.bin", other.test);
  prepare_data("cifar10", folder / "b", folder / "b/prepared", {}, {});
  fs::copy_file(folder / "b/prepared/test.images", folder / "a/prepared/test.images",
                fs::copy_options::overwrite_existing);
  EXPECT_THAT(error_of([&] { open_prepared(folder / "a/prepared", "cifar10", 0); }),
              HasSubstr("were not prepared together"));
  fs::remove(folder / "a/prepared/test.images");
  EXPECT_THAT(
      error_of([&] { open_prepared(folder / "a/prepared", "cifar10", 0); }),
      AllOf(HasSubstr("test.images: the file is missing"), HasSubstr("goes on where it was")));
}

TEST(OpenPrepared, EncodedFilesOfDifferentMakingsDoNotBelongTogether) {
  const TemporaryFolder folder;
  test::write_image_folder(folder.path(), 2, 3);
  prepare_data("imagenet", folder.path(), folder / "to", {}, {});
  const std::vector<std::byte> test_before = read_file(prepared_path(folder / "to", "test"));
  prepare_data("imagenet", folder.path(), folder / "to", {20, 90}, {});
  // As if the second preparation had been interrupted between the splits.
  write_file_atomically(prepared_path(folder / "to", "test"), test_before);
  EXPECT_THAT(error_of([&] { open_prepared(folder / "to", "imagenet", 32); }),
              HasSubstr("were not prepared together"));
}

}  // namespace
}  // namespace gcg
