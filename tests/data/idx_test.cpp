#include "data/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/files.h"

namespace gcg {
namespace {

using test::error_of;
using test::TemporaryFolder;
using test::write_bytes;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Bytes = std::vector<std::uint8_t>;

void append_big_endian(std::uint32_t value, Bytes& bytes) {
  for (const int shift : {24, 16, 8, 0}) {
    bytes.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

/// A file with this header and `values` bytes 0, 1, 2, ...
Bytes idx(const std::vector<std::uint32_t>& header, std::size_t values) {
  Bytes bytes;
  for (const std::uint32_t number : header) {
    append_big_endian(number, bytes);
  }
  for (std::size_t i = 0; i < values; ++i) {
    bytes.push_back(static_cast<std::uint8_t>(i));
  }
  return bytes;
}

Bytes image_file(std::uint32_t count, std::uint32_t rows, std::uint32_t columns) {
  return idx({0x803, count, rows, columns}, std::size_t{count} * rows * columns);
}

Bytes label_file(std::uint32_t count) { return idx({0x801, count}, count); }

Bytes labels(const Bytes& values) {
  Bytes bytes = idx({0x801, static_cast<std::uint32_t>(values.size())}, 0);
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

/// The error of reading this pair of files.
std::string error_of_pair(const Bytes& images, const Bytes& labels) {
  const TemporaryFolder folder;
  write_bytes(folder / "images", images);
  write_bytes(folder / "labels", labels);
  return error_of([&] { read_idx(folder / "images", folder / "labels"); });
}

TEST(IdxPair, IsOneChannelOfRowsAndColumns) {
  const TemporaryFolder folder;
  write_bytes(folder / "images", image_file(3, 2, 4));
  write_bytes(folder / "labels", label_file(3));
  const ImageSet images = read_idx(folder / "images", folder / "labels");
  EXPECT_EQ(images.shape, (Shape{1, 2, 4}));
  EXPECT_THAT(images.labels, ElementsAre(0, 1, 2));
  ASSERT_EQ(images.pixels.size(), 24U);
  EXPECT_EQ(images.pixels[23], 23);
}

TEST(IdxPair, MissingFileIsNamed) {
  EXPECT_THAT(error_of([] { read_idx("/nowhere/images", "/nowhere/labels"); }),
              HasSubstr("/nowhere/images: there is no such file"));
}

TEST(IdxPair, TooShortForItsHeaderIsAnError) {
  EXPECT_THAT(error_of_pair({}, label_file(1)),
              AllOf(HasSubstr("images: byte 0: the file ends within the header of 16 bytes"),
                    HasSubstr("remedy: ")));
  EXPECT_THAT(error_of_pair(idx({0x803, 1, 1}, 3), label_file(1)),
              HasSubstr("byte 15: the file ends within the header of 16 bytes"));
  EXPECT_THAT(error_of_pair(image_file(1, 1, 1), idx({0x801}, 0)),
              HasSubstr("labels: byte 4: the file ends within the header of 8 bytes"));
}

TEST(IdxPair, WrongMagicIsAnErrorAtByteZero) {
  EXPECT_THAT(error_of_pair(idx({0x1f8b0808, 1, 1, 1}, 1), label_file(1)),
              HasSubstr("images: byte 0: the magic number is 0x1f8b0808, not 0x00000803"));
  EXPECT_THAT(error_of_pair(image_file(1, 1, 1), idx({0x803, 1}, 1)),
              HasSubstr("labels: byte 0: the magic number is 0x00000803, not 0x00000801"));
}

TEST(IdxPair, SizesThatDoNotFitTheFileAreAnError) {
  EXPECT_THAT(error_of_pair(idx({0x803, 2, 2, 2}, 7), label_file(2)),
              HasSubstr("byte 16: the header promises 8 bytes from here, the file has 7"));
  EXPECT_THAT(error_of_pair(idx({0x803, 2, 2, 2}, 9), label_file(2)),
              HasSubstr("the header promises 8 bytes from here, the file has 9"));
  EXPECT_THAT(error_of_pair(image_file(2, 2, 2), idx({0x801, 2}, 3)),
              HasSubstr("labels: byte 8: the header promises 2 bytes from here, the file has 3"));
}

TEST(IdxPair, HugeSizesInTheHeaderTakeNoMemory) {
  EXPECT_THAT(
      error_of_pair(idx({0x803, 0xFFFFFFFF, 65'536, 65'536}, 5), label_file(1)),
      HasSubstr("the header promises 18446744069414584320 bytes from here, the file has 5"));
}

TEST(IdxPair, DimensionsOfZeroOrTooLargeAreAnErrorAtTheirByte) {
  EXPECT_THAT(error_of_pair(idx({0x803, 0, 1, 1}, 0), label_file(1)),
              HasSubstr("byte 4: dimension 0 is 0"));
  EXPECT_THAT(error_of_pair(idx({0x803, 1, 0, 1}, 0), label_file(1)),
              HasSubstr("byte 8: dimension 1 is 0"));
  EXPECT_THAT(error_of_pair(idx({0x803, 1, 1, 65'537}, 1), label_file(1)),
              HasSubstr("byte 12: dimension 2 is 65537"));
}

TEST(IdxPair, CountsThatDifferAreAnError) {
  EXPECT_THAT(
      error_of_pair(image_file(3, 1, 1), label_file(2)),
      AllOf(HasSubstr("labels: byte 4: 2 labels for the 3 images of "), HasSubstr("remedy: ")));
}

void write_folder(const TemporaryFolder& folder, std::uint32_t edge) {
  write_bytes(folder / "train-images-idx3-ubyte", image_file(3, edge, edge));
  write_bytes(folder / "train-labels-idx1-ubyte", label_file(3));
  write_bytes(folder / "t10k-images-idx3-ubyte", image_file(4, edge, edge));
  write_bytes(folder / "t10k-labels-idx1-ubyte", labels({2, 1, 0, 2}));
}

/// A set of images of 2x2 with these labels.
void write_labelled(const TemporaryFolder& folder, const Bytes& train, const Bytes& test) {
  for (const auto& [part, values] : {std::pair{"train", train}, {"t10k", test}}) {
    write_bytes(folder / (std::string(part) + "-images-idx3-ubyte"),
                image_file(static_cast<std::uint32_t>(values.size()), 2, 2));
    write_bytes(folder / (std::string(part) + "-labels-idx1-ubyte"), labels(values));
  }
}

std::string error_of_labels(const Bytes& train, const Bytes& test,
                            IdxLabels meaning = IdxLabels::classes) {
  const TemporaryFolder folder;
  write_labelled(folder, train, test);
  return error_of([&] { read_idx_folder(folder.path(), "idx", meaning); });
}

TEST(IdxFolder, IsFourFilesWithAsManyClassesAsTheLargestLabelSays) {
  const TemporaryFolder folder;
  write_folder(folder, 8);
  const DataSet data = read_idx_folder(folder.path(), "digits");
  EXPECT_EQ(data.name, "digits");
  EXPECT_EQ(data.classes, 3);
  EXPECT_EQ(data.train.size(), 3);
  EXPECT_EQ(data.test.size(), 4);
  EXPECT_FALSE(data.flip);
  EXPECT_EQ(data.digest, data_digest(data.train, data.test));
}

TEST(IdxFolder, CropPaddingIsTwoFromTwentyPixelsOn) {
  for (const auto& [edge, padding] : {std::pair{19U, 1}, std::pair{20U, 2}}) {
    const TemporaryFolder folder;
    write_folder(folder, edge);
    EXPECT_EQ(read_idx_folder(folder.path(), "digits").crop_padding, padding);
  }
}

TEST(IdxFolder, OtherUsualNamesAreFound) {
  const TemporaryFolder folder;
  write_folder(folder, 2);
  std::filesystem::rename(folder / "train-images-idx3-ubyte", folder / "train-images.idx3-ubyte");
  std::filesystem::rename(folder / "t10k-images-idx3-ubyte", folder / "test-images-idx3-ubyte");
  std::filesystem::rename(folder / "t10k-labels-idx1-ubyte", folder / "test-labels.idx1-ubyte");
  EXPECT_EQ(read_idx_folder(folder.path(), "digits").test.size(), 4);
}

TEST(IdxFolder, TwoNamesForOnePartAreAnError) {
  const TemporaryFolder folder;
  write_folder(folder, 2);
  write_bytes(folder / "test-labels-idx1-ubyte", label_file(2));
  EXPECT_THAT(error_of([&] { read_idx_folder(folder.path(), "digits"); }),
              HasSubstr("both t10k-labels-idx1-ubyte and test-labels-idx1-ubyte exist"));
}

TEST(IdxFolder, MissingFileIsNamedWithAllItsNames) {
  const TemporaryFolder folder;
  write_folder(folder, 2);
  std::filesystem::remove(folder / "train-labels-idx1-ubyte");
  EXPECT_THAT(error_of([&] { read_idx_folder(folder.path(), "digits"); }),
              AllOf(HasSubstr("train-labels-idx1-ubyte, train-labels.idx1-ubyte"),
                    HasSubstr("remedy: put the four IDX files")));
}

TEST(IdxFolder, PartsOfDifferentSizesAreAnError) {
  const TemporaryFolder folder;
  write_folder(folder, 2);
  write_bytes(folder / "t10k-images-idx3-ubyte", image_file(4, 2, 3));
  EXPECT_THAT(error_of([&] { read_idx_folder(folder.path(), "digits"); }),
              HasSubstr("training images of 2x2, but test images of 2x3"));
}

TEST(IdxFolder, OneClassAloneIsAnError) {
  const TemporaryFolder folder;
  write_folder(folder, 2);
  for (const std::string part : {"train", "t10k"}) {
    write_bytes(folder / (part + "-images-idx3-ubyte"), image_file(1, 2, 2));
    write_bytes(folder / (part + "-labels-idx1-ubyte"), label_file(1));
  }
  EXPECT_THAT(error_of([&] { read_idx_folder(folder.path(), "digits"); }),
              HasSubstr("every label is 0"));
  EXPECT_THAT(error_of_labels({7, 7}, {7}), HasSubstr("train-labels-idx1-ubyte: every label is 7"));
}

TEST(IdxFolder, LabelsThatDoNotBeginAtZeroAreAnErrorOrNumberedAnew) {
  const Bytes one_to_ten{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_THAT(error_of_labels(one_to_ten, one_to_ten),
              AllOf(HasSubstr("train-labels-idx1-ubyte: 10 labels from 1 to 10, but no image has "
                              "label 0"),
                    HasSubstr("--idx-labels consecutive")));
  const TemporaryFolder folder;
  write_labelled(folder, one_to_ten, one_to_ten);
  const DataSet data = read_idx_folder(folder.path(), "idx", IdxLabels::consecutive);
  EXPECT_EQ(data.classes, 10);
  EXPECT_THAT(data.train.labels, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_EQ(data.class_names.front(), "1");
  EXPECT_EQ(data.class_names.back(), "10");
}

TEST(IdxFolder, LabelsWithGapsAreAnErrorOrNumberedAnew) {
  EXPECT_THAT(
      error_of_labels({0, 255, 0}, {255, 0}),
      HasSubstr("train-labels-idx1-ubyte: 2 labels from 0 to 255, but no image has label 1"));
  const TemporaryFolder folder;
  write_labelled(folder, {0, 255, 0}, {255, 0});
  const DataSet data = read_idx_folder(folder.path(), "idx", IdxLabels::consecutive);
  EXPECT_EQ(data.classes, 2);
  EXPECT_THAT(data.train.labels, ElementsAre(0, 1, 0));
  EXPECT_THAT(data.test.labels, ElementsAre(1, 0));
}

TEST(IdxFolder, AClassThatOnePartAloneHasIsAnErrorThatNamesTheLabelFile) {
  for (const IdxLabels meaning : {IdxLabels::classes, IdxLabels::consecutive}) {
    EXPECT_THAT(
        error_of_labels({0, 1}, {0, 1, 2}, meaning),
        HasSubstr("t10k-labels-idx1-ubyte: test images have label 2, but no training image"));
    EXPECT_THAT(error_of_labels({0, 1, 2}, {0, 2}, meaning),
                HasSubstr("t10k-labels-idx1-ubyte: no test image has label 1"));
  }
}

}  // namespace
}  // namespace gcg
