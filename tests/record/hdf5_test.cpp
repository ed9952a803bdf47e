#include "record/hdf5.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace gcg::hdf5 {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// The root of a file, after it has been through bytes.
Image reopened(const Image& image) { return {"file.h5", image.bytes()}; }

TEST(Hdf5, LinkNamesEscapeWhatHdf5WouldTakeForAPath) {
  EXPECT_EQ(link_name("stage1.block0.conv1"), "stage1.block0.conv1");
  EXPECT_EQ(link_name("a/b"), "a%2Fb");
  EXPECT_EQ(link_name("100%"), "100%25");
  EXPECT_EQ(link_name("a%2Fb"), "a%252Fb");
  EXPECT_EQ(link_name("."), "%2E");
  EXPECT_EQ(link_name(".."), "..");
  EXPECT_EQ(link_name("größe"), "größe");
  EXPECT_THROW(link_name(""), Error);
  EXPECT_THROW(link_name(std::string("a\0b", 3)), Error);
}

TEST(Hdf5, ErrorsCarryTheLibrarysStack) {
  const Image image("file.h5");
  const Object group = image.root().create_group("here");
  try {
    image.root().create_group("here");
    FAIL() << "a group was created twice";
  } catch (const Hdf5Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("file.h5: /here: cannot create the group (HDF5: "),
                                    HasSubstr("H5Gcreate2: unable to "),
                                    HasSubstr("create group; "), HasSubstr("name already exists")));
    EXPECT_THAT(error.stack(),
                AllOf(HasSubstr("H5Gcreate2: "), HasSubstr("H5L__link_cb: name already exists")));
  }
}

TEST(Hdf5, PrintsNothingItself) {
  ::testing::internal::CaptureStderr();
  const Image image("file.h5");
  image.root().create_group("here");
  EXPECT_THROW(image.root().create_group("here"), Hdf5Error);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Hdf5, ArraysComeBackInEveryStorage) {
  const std::vector<std::int32_t> small{1, -2, 3, std::numeric_limits<std::int32_t>::min()};
  std::vector<double> large(300'000);  // more than one chunk, the last one not full
  for (std::size_t i = 0; i < large.size(); ++i) {
    large[i] = 0.5 * static_cast<double>(i);
  }
  for (const Storage storage : {Storage::compressed, Storage::plain}) {
    const Image image("file.h5", storage);
    image.root().write_array<std::int32_t>("small", small, {2, 2});
    image.root().write_array<double>("large", large, {100'000, 3});
    image.root().write_array<float>("empty", {}, {0, 7});
    const std::size_t size = image.bytes().size();
    EXPECT_EQ(size > large.size() * sizeof(double), storage == Storage::plain) << size;
    const Image again = reopened(image);
    EXPECT_EQ(again.root().read_array<std::int32_t>("small", {2, kAny}), small);
    EXPECT_EQ(again.root().read_array<double>("large", {100'000, 3}), large);
    EXPECT_TRUE(again.root().read_array<float>("empty", {kAny, 7}).empty());
    EXPECT_EQ(again.root().extents("large"), (Extents{100'000, 3}));
  }
}

TEST(Hdf5, TextsAndFlagsComeBack) {
  const std::vector<std::string> texts{"", "ä", "a longer text"};
  const Image image("file.h5");
  image.root().write_texts("texts", texts, {3});
  image.root().write_texts("all empty", std::vector<std::string>(2), {2});
  image.root().write_flags("flags", {true, false, true}, {3});
  image.root().write_attribute("text", std::string("größe"));
  image.root().write_attribute("empty", std::string());
  image.root().write_attribute("yes", true);
  image.root().write_attribute("seed", std::numeric_limits<std::uint64_t>::max());
  const Image again = reopened(image);
  EXPECT_EQ(again.root().read_texts("texts", {kAny}), texts);
  EXPECT_EQ(again.root().read_texts("all empty", {2}), std::vector<std::string>(2));
  EXPECT_EQ(again.root().read_flags("flags", {3}), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(again.root().read_text_attribute("text"), "größe");
  EXPECT_EQ(again.root().read_text_attribute("empty"), "");
  EXPECT_TRUE(again.root().read_attribute<bool>("yes"));
  EXPECT_EQ(again.root().read_attribute<std::uint64_t>("seed"),
            std::numeric_limits<std::uint64_t>::max());
}

TEST(Hdf5, ReadingNamesFileObjectAndProblem) {
  const Image image("file.h5");
  const Object group = image.root().create_group("group");
  group.write_array<double>("numbers", std::vector<double>(6), {2, 3});
  group.write_attribute("text", std::string("t"));
  EXPECT_THAT([&] { (void)group.read_array<double>("other", {6}); },
              ThrowsMessage<Error>("file.h5: /group/other: is missing"));
  EXPECT_THAT(
      [&] {
        (void)group.read_array<double>("numbers", {3, kAny});
      },
      ThrowsMessage<Error>("file.h5: /group/numbers: has the shape [2, 3], expected [3, any]"));
  EXPECT_THAT(
      [&] {
        (void)group.read_array<float>("numbers", {2, 3});
      },
      ThrowsMessage<Error>("file.h5: /group/numbers: has another element type than in the schema"));
  EXPECT_THAT(
      [&] {
        (void)group.read_texts("numbers", {2, 3});
      },
      ThrowsMessage<Error>(HasSubstr("another element type")));
  EXPECT_THAT(
      [&] { (void)group.read_attribute<double>("text"); },
      ThrowsMessage<Error>("file.h5: /group attribute text: has another type than in the schema"));
  EXPECT_THAT([&] { (void)group.read_attribute<double>("none"); },
              ThrowsMessage<Error>("file.h5: /group attribute none: is missing"));
  EXPECT_THAT([&] { (void)image.root().open_group("nothing"); },
              ThrowsMessage<Error>("file.h5: /nothing: is missing"));
}

TEST(Hdf5, WritingRefusesWhatItCouldNotReadBack) {
  const Image image("file.h5");
  EXPECT_THAT(
      [&] {
        image.root().write_array<double>("x", std::vector<double>(5), {2, 3});
      },
      ThrowsMessage<Error>("file.h5: /x: 5 values do not fill the shape [2, 3]"));
  EXPECT_THAT([&] { image.root().write_attribute("x", std::string("a\0b", 3)); },
              ThrowsMessage<Error>("file.h5: /x: a text holds a zero byte"));
  const std::vector<std::string> texts{std::string("\0", 1)};
  EXPECT_THAT([&] { image.root().write_texts("x", texts, {1}); },
              ThrowsMessage<Error>("file.h5: /x: a text holds a zero byte"));
}

}  // namespace
}  // namespace gcg::hdf5
