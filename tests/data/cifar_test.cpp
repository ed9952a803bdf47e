#include "data/cifar.h"
#include "data/cifar_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>

#include "base/file.h"
#include "base/hash.h"
#include "data/files.h"

namespace gcg {
namespace {

using test::error_of;
using test::TemporaryFolder;
using test::write_bytes;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Records with these labels; pixel p of record i is (p + 7 i) mod 251.
std::vector<std::uint8_t> records(const std::vector<std::uint8_t>& labels) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    bytes.push_back(labels[i]);
    for (std::size_t p = 0; p < 3072; ++p) {
      bytes.push_back(static_cast<std::uint8_t>((p + 7 * i) % 251));
    }
  }
  return bytes;
}

/// Two training files of 2 and 1 records, a test file of 2.
void write_folder(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  write_bytes(folder / "data_batch_1.bin", records({3, 9}));
  write_bytes(folder / "data_batch_2.bin", records({5}));
  write_bytes(folder / "test_batch.bin", records({0, 1}));
}

std::string digest_of(const std::vector<std::uint8_t>& bytes) {
  return hex(sha256(std::as_bytes(std::span(bytes))));
}

/// The manifest of write_folder's files.
std::string good_manifest() {
  return R"({"files": {"data_batch_1.bin": {"records": 2, "sha256": ")" +
         digest_of(records({3, 9})) + R"("}, "data_batch_2.bin": {"records": 1, "sha256": ")" +
         digest_of(records({5})) + R"("}, "test_batch.bin": {"records": 2, "sha256": ")" +
         digest_of(records({0, 1})) + R"("}}})";
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  ASSERT_NE(text.find(from), std::string::npos);
  text.replace(text.find(from), from.size(), to);
}

TEST(CifarFile, RecordsAreALabelAndThreePlanes) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.bin", records({3, 9}));
  ImageSet images;
  append_cifar10_file(folder / "a.bin", images);
  EXPECT_EQ(images.shape, (Shape{3, 32, 32}));
  EXPECT_THAT(images.labels, ElementsAre(3, 9));
  ASSERT_EQ(images.pixels.size(), 2U * 3072);
  EXPECT_EQ(images.pixels[0], 0);
  EXPECT_EQ(images.pixels[3071], 3071 % 251);
  EXPECT_EQ(images.pixels[3072], 7);
}

TEST(CifarFile, IsAppendedToWhatIsThere) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.bin", records({3, 9}));
  write_bytes(folder / "b.bin", records({5}));
  ImageSet images;
  append_cifar10_file(folder / "a.bin", images);
  append_cifar10_file(folder / "b.bin", images);
  EXPECT_THAT(images.labels, ElementsAre(3, 9, 5));
  EXPECT_EQ(images.pixels.size(), 3U * 3072);
  EXPECT_NO_THROW(check_images("here", images, 10));
}

TEST(CifarFile, WrittenOneReadsBackTheSame) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.bin", records({3, 9, 0}));
  ImageSet images;
  append_cifar10_file(folder / "a.bin", images);
  test::write_cifar10_file(folder / "b.bin", images);
  EXPECT_EQ(read_file(folder / "b.bin"), read_file(folder / "a.bin"));
}

TEST(CifarFile, MissingFileIsNamed) {
  ImageSet images;
  EXPECT_THAT(
      error_of([&] { append_cifar10_file("/nowhere/a.bin", images); }),
      AllOf(HasSubstr("/nowhere/a.bin: there is no such file"), HasSubstr("remedy: unpack")));
}

TEST(CifarFile, FolderInsteadOfAFileIsNoSuchFile) {
  const TemporaryFolder folder;
  ImageSet images;
  EXPECT_THAT(error_of([&] { append_cifar10_file(folder.path(), images); }),
              HasSubstr("there is no such file"));
}

TEST(CifarFile, EmptyFileIsAnError) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.bin", {});
  ImageSet images;
  EXPECT_THAT(error_of([&] { append_cifar10_file(folder / "a.bin", images); }),
              AllOf(HasSubstr("a.bin: byte 0: the file is empty"), HasSubstr("remedy: ")));
}

TEST(CifarFile, PartOfARecordIsAnErrorAtItsFirstByte) {
  const TemporaryFolder folder;
  for (const std::size_t extra : {1U, 3072U}) {
    std::vector<std::uint8_t> bytes = records({1, 2});
    bytes.resize(bytes.size() + extra);
    write_bytes(folder / "a.bin", bytes);
    ImageSet images;
    EXPECT_THAT(error_of([&] { append_cifar10_file(folder / "a.bin", images); }),
                AllOf(HasSubstr("byte 6146: the last record has " + std::to_string(extra) +
                                " of 3073 bytes"),
                      HasSubstr("remedy: ")));
  }
}

TEST(CifarFile, LabelAboveNineIsAnErrorAtItsByteAndLeavesTheImagesAlone) {
  const TemporaryFolder folder;
  write_bytes(folder / "good.bin", records({4}));
  write_bytes(folder / "a.bin", records({1, 9, 10}));
  ImageSet images;
  append_cifar10_file(folder / "good.bin", images);
  EXPECT_THAT(
      error_of([&] { append_cifar10_file(folder / "a.bin", images); }),
      AllOf(HasSubstr("a.bin: byte 6146: record 2 has label 10, above 9"), HasSubstr("remedy: ")));
  EXPECT_THAT(images.labels, ElementsAre(4));
  EXPECT_EQ(images.pixels.size(), 3072U);
}

TEST(CifarFile, MoreRecordsThanTheLimitIsAnErrorAtTheFirstOneTooMany) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.bin", records({1, 2, 3}));
  ImageSet images;
  EXPECT_THAT(error_of([&] { append_cifar10_file(folder / "a.bin", images, 2); }),
              AllOf(HasSubstr("byte 6146: the file continues after 2 records, it has 9219 bytes"),
                    HasSubstr("remedy: ")));
  EXPECT_NO_THROW(append_cifar10_file(folder / "a.bin", images, 3));
}

TEST(CifarFile, HugeFileIsRefusedBeforeItIsRead) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.bin", records({1}));
  // A hole: takes no space on the disk, but would not fit the memory.
  std::filesystem::resize_file(folder / "a.bin", std::uintmax_t{3073} << 30);
  ImageSet images;
  EXPECT_THAT(error_of([&] { append_cifar10_file(folder / "a.bin", images, 10'000); }),
              HasSubstr("byte 30730000: the file continues after 10000 records"));
}

TEST(CifarFile, IsNotAppendedToImagesOfAnotherShape) {
  const TemporaryFolder folder;
  write_bytes(folder / "a.bin", records({1}));
  ImageSet images{{1, 1, 1}, {0}, {0}};
  EXPECT_THAT(error_of([&] { append_cifar10_file(folder / "a.bin", images); }),
              HasSubstr("images of another shape"));
}

TEST(CifarFolder, JoinsTheTrainingFilesInOrder) {
  const TemporaryFolder folder;
  write_folder(folder.path());
  const DataSet data = read_cifar10(folder.path());
  EXPECT_EQ(data.name, "cifar10");
  EXPECT_EQ(data.classes, 10);
  EXPECT_THAT(data.train.labels, ElementsAre(3, 9, 5));
  EXPECT_THAT(data.test.labels, ElementsAre(0, 1));
  EXPECT_TRUE(data.flip);
  EXPECT_EQ(data.crop_padding, 4);
  EXPECT_EQ(data.digest, data_digest(data.train, data.test));
}

TEST(CifarFolder, OrderIsThatOfTheNumbersNotOfTheNames) {
  const TemporaryFolder folder;
  for (std::uint8_t n = 1; n <= 10; ++n) {
    write_bytes(folder / ("data_batch_" + std::to_string(n) + ".bin"),
                records({static_cast<std::uint8_t>(n - 1)}));
  }
  write_bytes(folder / "test_batch.bin", records({0}));
  EXPECT_THAT(read_cifar10(folder.path()).train.labels, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
}

TEST(CifarFolder, SubfolderOfTheArchiveIsFound) {
  const TemporaryFolder folder;
  write_folder(folder / "cifar-10-batches-bin");
  EXPECT_EQ(read_cifar10(folder.path()).train.size(), 3);
}

TEST(CifarFolder, WithoutFilesSaysWhatIsExpected) {
  const TemporaryFolder folder;
  for (const std::filesystem::path& path : {folder.path(), folder / "missing"}) {
    EXPECT_THAT(error_of([&] { read_cifar10(path); }),
                AllOf(HasSubstr(path.string()), HasSubstr("data_batch_1.bin"),
                      HasSubstr("remedy: unpack cifar-10-binary.tar.gz")));
  }
}

TEST(CifarFolder, GapInTheNumbersIsAnError) {
  const TemporaryFolder folder;
  write_folder(folder.path());
  write_bytes(folder / "data_batch_4.bin", records({1}));
  EXPECT_THAT(error_of([&] { read_cifar10(folder.path()); }),
              HasSubstr("data_batch_3.bin: there is no such file, but there is data_batch_4.bin"));
}

TEST(CifarFolder, FileThatWouldBeLeftOutForItsNameIsAnError) {
  for (const char* name :
       {"data_batch_03.bin", "data_batch_3.BIN", "data_batch_3 (1).bin", "data_batch_3.bin.part"}) {
    const TemporaryFolder folder;
    write_folder(folder.path());
    write_bytes(folder / name, records({3}));
    EXPECT_THAT(error_of([&] { read_cifar10(folder.path()); }),
                HasSubstr(std::string(name) + ": it would be left out"));
  }
}

TEST(CifarFolder, ListOfClassesIsReadWholeOrRefused) {
  const TemporaryFolder folder;
  write_folder(folder.path());
  EXPECT_TRUE(read_cifar10(folder.path()).class_names.empty());
  write_file_atomically(folder / "batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  EXPECT_EQ(read_cifar10(folder.path()).class_names.size(), 10U);
  write_file_atomically(folder / "batches.meta.txt", "a\nb\n");
  EXPECT_THAT(error_of([&] { read_cifar10(folder.path()); }),
              HasSubstr("batches.meta.txt: it lists 2 classes, not 10"));
  // As some tools store it: a byte-order mark, lines that end in "\r\n".
  write_file_atomically(folder / "batches.meta.txt",
                        "\xEF\xBB\xBF"
                        "a\r\nb \r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\ni\r\nj\r\n \r\n");
  EXPECT_THAT(read_cifar10(folder.path()).class_names,
              ElementsAre("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"));
  std::filesystem::remove(folder / "batches.meta.txt");
  std::filesystem::create_directories(folder / "batches.meta.txt");
  EXPECT_THAT(error_of([&] { read_cifar10(folder.path()); }),
              HasSubstr("batches.meta.txt: is not a regular file"));
}

TEST(CifarFolder, WithoutTestFileIsAnError) {
  const TemporaryFolder folder;
  write_folder(folder.path());
  std::filesystem::remove(folder / "test_batch.bin");
  EXPECT_THAT(error_of([&] { read_cifar10(folder.path()); }),
              HasSubstr("test_batch.bin: there is no such file"));
}

TEST(CifarFolder, FileBeyondTheOfficialSizeIsAnError) {
  const TemporaryFolder folder;
  write_folder(folder.path());
  std::filesystem::resize_file(folder / "test_batch.bin", 3073 * 10'001);
  EXPECT_THAT(error_of([&] { read_cifar10(folder.path()); }),
              HasSubstr("test_batch.bin: byte 30730000: the file continues after 10000 records"));
}

TEST(CifarManifest, ThatAgreesIsAccepted) {
  const TemporaryFolder folder;
  write_folder(folder / "cifar-10-batches-bin");
  for (const char* place : {"manifest.json", "cifar-10-batches-bin/manifest.json"}) {
    write_file_atomically(folder / place, good_manifest());
    EXPECT_NO_THROW(read_cifar10(folder.path()));
    std::filesystem::remove(folder / place);
  }
}

TEST(CifarManifest, ThatDisagreesIsAnErrorThatNamesTheFile) {
  const TemporaryFolder folder;
  write_folder(folder.path());
  struct Case {
    std::string from, to, message;
  };
  const std::string digest = digest_of(records({5}));
  const std::vector<Case> cases{
      {R"("records": 1)", R"("records": 3)",
       "data_batch_2.bin: 1 records, but manifest.json says 3"},
      {R"("records": 1)", R"("records": 1.5)",
       "manifest.json: data_batch_2.bin: records is 1.5, not a whole number"},
      {R"("records": 1)", R"("records": 1e300)",
       "manifest.json: data_batch_2.bin: records is 1e+300, not a whole number"},
      {digest, std::string(64, '0'), "data_batch_2.bin: SHA-256 is " + digest},
      {"data_batch_2.bin", "data_batch_7.bin",
       "data_batch_2.bin: manifest.json does not list the file"},
      {R"("data_batch_1.bin")",
       R"("data_batch_3.bin": {"records": 1, "sha256": ""}, "data_batch_1.bin")",
       "data_batch_3.bin: manifest.json lists the file, but it is not there"},
      {R"("files")", R"("flies")", "manifest.json: "},
      {R"("records": 1)", R"("records": "one")", "manifest.json: "},
      {R"("records": 1,)", "", "manifest.json: "},
      {"{", "[", "manifest.json: byte 9: not JSON"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.message);
    std::string manifest = good_manifest();
    replace(manifest, c.from, c.to);
    write_file_atomically(folder / "manifest.json", manifest);
    EXPECT_THAT(error_of([&] { read_cifar10(folder.path()); }),
                AllOf(HasSubstr(c.message), HasSubstr("remedy: ")));
  }
}

TEST(CifarFolder, RealFilesAreRead) {
  const auto folder = test::real_data("cifar-10-lossless");
  if (!folder) {
    GTEST_SKIP() << "GCG_TEST_DATA names no folder with cifar-10-lossless";
  }
  const DataSet data = read_cifar10(*folder);
  EXPECT_GT(data.train.size(), 1000);
  EXPECT_NO_THROW(check_images("train", data.train, 10));
  EXPECT_NO_THROW(check_images("test", data.test, 10));
  // Photographs: the published means of the whole set are .4914 .4822 .4465.
  const ChannelStatistics statistics = channel_statistics(data.train);
  EXPECT_NEAR(statistics.mean[0], 0.4914, 0.02);
  EXPECT_NEAR(statistics.mean[1], 0.4822, 0.02);
  EXPECT_NEAR(statistics.mean[2], 0.4465, 0.02);
}

/// CIFAR-100 records with these (coarse, fine) labels.
std::vector<std::uint8_t> records100(const std::vector<std::array<std::uint8_t, 2>>& labels) {
  std::vector<std::uint8_t> bytes;
  for (const auto& [coarse, fine] : labels) {
    bytes.insert(bytes.end(), {coarse, fine});
    for (std::size_t p = 0; p < 3072; ++p) {
      bytes.push_back(static_cast<std::uint8_t>(p + fine));
    }
  }
  return bytes;
}

TEST(Cifar100Folder, HasFineOrCoarseLabelsOfTheSameImages) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "cifar-100-binary");
  write_bytes(folder / "cifar-100-binary/train.bin", records100({{19, 99}, {0, 1}}));
  write_bytes(folder / "cifar-100-binary/test.bin", records100({{4, 30}}));
  const DataSet fine = read_cifar100(folder.path(), Cifar100Labels::fine);
  EXPECT_EQ(fine.classes, 100);
  EXPECT_THAT(fine.train.labels, ElementsAre(99, 1));
  EXPECT_THAT(fine.test.labels, ElementsAre(30));
  EXPECT_EQ(fine.train.pixels.at(3072), 1);
  const DataSet coarse = read_cifar100(folder / "cifar-100-binary", Cifar100Labels::coarse);
  EXPECT_EQ(coarse.classes, 20);
  EXPECT_THAT(coarse.train.labels, ElementsAre(19, 0));
  EXPECT_EQ(coarse.train.pixels, fine.train.pixels);
  EXPECT_NE(coarse.digest, fine.digest);
}

TEST(Cifar100Folder, ErrorsNameFileAndByte) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { read_cifar100(folder.path(), Cifar100Labels::fine); }),
              HasSubstr("neither it nor its subfolder cifar-100-binary has train.bin"));
  write_bytes(folder / "test.bin", records100({{4, 30}}));
  const auto error_with = [&](const std::vector<std::uint8_t>& train) {
    write_bytes(folder / "train.bin", train);
    return error_of([&] { read_cifar100(folder.path(), Cifar100Labels::fine); });
  };
  EXPECT_THAT(error_with({}), HasSubstr("train.bin: byte 0: the file is empty"));
  EXPECT_THAT(error_with(records100({{1, 2}, {20, 3}})),
              HasSubstr("train.bin: byte 3074: record 1 has label 20, above 19"));
  EXPECT_THAT(error_with(records100({{1, 100}})),
              HasSubstr("train.bin: byte 1: record 0 has label 100, above 99"));
  std::vector<std::uint8_t> cut = records100({{1, 2}, {1, 2}});
  cut.pop_back();
  EXPECT_THAT(error_with(cut), HasSubstr("train.bin: byte 3074: the last record has 3073 of 3074"));
}

}  // namespace
}  // namespace gcg
