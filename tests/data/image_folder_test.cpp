#include "data/image_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "data/encoded.h"
#include "data/files.h"

namespace gcg {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::smooth_image;
using test::TemporaryFolder;
using test::write_image;
using test::write_tinyimagenet;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

void write_text(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  write_file_atomically(path, text);
}

TEST(ImageFolder, LabelsAreTheOrderOfTheNamesOfTheClasses) {
  const TemporaryFolder folder;
  test::write_image_folder(folder.path(), 3, 2);
  const ImageLists lists = list_image_folder(folder.path());
  EXPECT_THAT(lists.classes, ElementsAre("n00000000", "n00000001", "n00000002"));
  EXPECT_THAT(lists.train.labels, ElementsAre(0, 0, 1, 1, 2, 2));
  EXPECT_EQ(lists.train.files.at(3), folder.path() / "train/n00000001/image_1.JPEG");
  EXPECT_EQ(lists.test.files.at(0), folder.path() / "val/n00000000/image_0.JPEG");
}

TEST(ImageFolder, TakesImagesByTheirEndingAndNamesTheRest) {
  const TemporaryFolder folder;
  test::write_image_folder(folder.path(), 2, 1);
  const fs::path place = folder / "train/n00000000";
  for (const char* name : {"b.jpg", "c.PNG", "d.Jpeg", "e.jpe", "f.JFIF"}) {
    write_image(place / name, smooth_image(8, 8));
  }
  write_text(place / "notes.txt", "no image");
  write_text(folder / "train/README", "no class");
  fs::create_directories(place / "empty");
  const ImageLists lists = list_image_folder(folder.path());
  EXPECT_EQ(lists.train.files.size(), 7U);
  EXPECT_THAT(lists.passed_over, ElementsAre(HasSubstr("train/README: no image"),
                                             HasSubstr("empty: a folder without images"),
                                             HasSubstr("notes.txt: no image")));
}

TEST(ImageFolder, WhatSystemsLeaveBehindIsNeitherClassNorImage) {
  const TemporaryFolder folder;
  test::write_image_folder(folder.path(), 2, 1);
  write_image(folder / "train/.ipynb_checkpoints/a.JPEG", smooth_image(8, 8));
  write_image(folder / "train/__MACOSX/a.JPEG", smooth_image(8, 8));
  write_text(folder / "train/n00000000/._image_0.JPEG", "resource fork");
  write_text(folder / "val/n00000000/Thumbs.db", "x");
  const ImageLists lists = list_image_folder(folder.path());
  EXPECT_EQ(lists.classes.size(), 2U);
  EXPECT_EQ(lists.train.files.size(), 2U);
  EXPECT_EQ(lists.passed_over.size(), 4U);
}

TEST(ImageFolder, ImagesThatCannotBeTakenAreAnErrorUnlessTheyMayBePassedOver) {
  const auto error_with = [](const auto& add) {
    const TemporaryFolder folder;
    test::write_image_folder(folder.path(), 2, 1);
    add(folder / "train");
    const std::string error = error_of([&] { list_image_folder(folder.path()); });
    const ImageLists lists = list_image_folder(folder.path(), Stray::pass_over);
    EXPECT_EQ(lists.train.files.size(), 2U);
    EXPECT_EQ(lists.passed_over.size(), 1U);
    EXPECT_THAT(error, AllOf(HasSubstr("would be left out"), HasSubstr("--pass-over on")));
    return error;
  };
  EXPECT_THAT(error_with([](const fs::path& train) {
                fs::create_symlink("/nowhere/a.JPEG", train / "n00000000/a.JPEG");
              }),
              HasSubstr("n00000000/a.JPEG: a broken link"));
  for (const char* name : {"a.webp", "a.bmp", "a.tif", "a.TIFF", "a.gif"}) {
    EXPECT_THAT(
        error_with([&](const fs::path& train) { write_text(train / "n00000001" / name, "x"); }),
        HasSubstr(std::string(name) + ": neither JPEG nor PNG"));
  }
  EXPECT_THAT(error_with([](const fs::path& train) {
                write_image(train / "n00000001/deeper/a.JPEG", smooth_image(8, 8));
              }),
              HasSubstr("deeper: a folder of images where none is expected"));
  EXPECT_THAT(error_with([](const fs::path& train) {
                write_image(train / "n00000001/no_ending", smooth_image(8, 8));
              }),
              HasSubstr("no_ending: an image, but its name"));
  EXPECT_THAT(error_with([](const fs::path& train) {
                write_image(train / "loose.JPEG", smooth_image(8, 8));
              }),
              HasSubstr("train/loose.JPEG: an image where none is expected"));
  EXPECT_THAT(error_with([](const fs::path& train) {
                fs::create_directory_symlink("/nowhere/class", train / "n00000007");
              }),
              HasSubstr("train/n00000007: a broken link"));
}

TEST(ImageFolder, WhatLiesBehindLinksInAnUnexpectedFolderMayBeImages) {
  const TemporaryFolder elsewhere;
  write_image(elsewhere / "a.JPEG", smooth_image(8, 8));
  for (const fs::path& target : {elsewhere.path(), fs::path("/nowhere/a.JPEG")}) {
    const TemporaryFolder folder;
    test::write_image_folder(folder.path(), 2, 1);
    const fs::path extra = folder / "train/n00000000/extra";
    fs::create_directories(extra);
    fs::create_symlink(target, extra / "link");
    EXPECT_THAT(error_of([&] { list_image_folder(folder.path()); }),
                HasSubstr("extra: a folder of images where none is expected"));
  }
}

TEST(ImageFolder, ManyImagesThatCannotBeTakenAreCounted) {
  const TemporaryFolder folder;
  test::write_image_folder(folder.path(), 2, 1);
  for (int i = 0; i < 30; ++i) {
    write_text(folder / "val/n00000001" / (std::to_string(i) + ".webp"), "x");
  }
  EXPECT_THAT(error_of([&] { list_image_folder(folder.path()); }),
              HasSubstr("it and 29 others would be left out"));
}

TEST(ImageFolder, ErrorsNameTheFolder) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { list_image_folder(folder.path()); }),
              HasSubstr("/train: there is no such folder"));
  test::write_image_folder(folder.path(), 2, 1);
  fs::create_directories(folder / "train/n00000009");
  EXPECT_THAT(error_of([&] { list_image_folder(folder.path()); }),
              HasSubstr("train/n00000009: there are no images in the folder of this class"));
  fs::remove(folder / "train/n00000009");
  fs::create_directories(folder / "val/n00000008");
  EXPECT_THAT(error_of([&] { list_image_folder(folder.path()); }),
              HasSubstr("val/n00000008: there is no such class in train"));
  fs::remove(folder / "val/n00000008");
  fs::remove_all(folder / "val/n00000001");
  EXPECT_THAT(error_of([&] { list_image_folder(folder.path()); }), HasSubstr("val/n00000001"));
  fs::remove_all(folder / "train/n00000001");
  EXPECT_THAT(error_of([&] { list_image_folder(folder.path()); }),
              HasSubstr("1 folders of classes"));
}

TEST(ImageFolder, DigestTellsNamesSizesAndLabels) {
  const TemporaryFolder folder;
  test::write_image_folder(folder.path(), 2, 2);
  const auto digest = [&] {
    return listing_digest(folder.path(), list_image_folder(folder.path()));
  };
  const std::string before = digest();
  EXPECT_EQ(digest(), before);
  const fs::path image = folder / "train/n00000001/image_1.JPEG";
  fs::rename(image, folder / "train/n00000001/image_2.JPEG");
  EXPECT_NE(digest(), before);
  fs::rename(folder / "train/n00000001/image_2.JPEG", image);
  EXPECT_EQ(digest(), before);
  fs::resize_file(image, fs::file_size(image) - 1);
  EXPECT_NE(digest(), before);
}

TEST(TinyImageNet, HasItsLabelsFromFoldersAndAnnotations) {
  const TemporaryFolder folder;
  write_tinyimagenet(folder.path());
  const ImageLists lists = list_tinyimagenet(folder.path());
  EXPECT_THAT(lists.classes, ElementsAre("n01", "n02"));
  EXPECT_THAT(lists.train.labels, ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(lists.test.labels, ElementsAre(1, 1, 0));
  EXPECT_EQ(lists.test.files.at(2), folder.path() / "val/images/val_2.JPEG");
}

TEST(TinyImageNet, WhatSystemsLeaveBehindIsNoClassAndNoImage) {
  const TemporaryFolder folder;
  write_tinyimagenet(folder.path());
  const std::size_t before = list_tinyimagenet(folder.path()).passed_over.size();
  write_image(folder / "train/.ipynb_checkpoints/images/a.JPEG", smooth_image(64, 64));
  write_image(folder / "train/__MACOSX/images/a.JPEG", smooth_image(64, 64));
  write_image(folder / "train/n01/.ipynb_checkpoints/a.JPEG", smooth_image(64, 64));
  write_image(folder / "val/__MACOSX/a.JPEG", smooth_image(64, 64));
  write_text(folder / "train/n01/images/._n01_0.JPEG", "resource fork");
  write_text(folder / "val/images/._val_0.JPEG", "resource fork");
  write_text(folder / "val/images/Thumbs.db", "x");
  const ImageLists lists = list_tinyimagenet(folder.path());
  EXPECT_THAT(lists.classes, ElementsAre("n01", "n02"));
  EXPECT_EQ(lists.train.files.size(), 4U);
  EXPECT_EQ(lists.test.files.size(), 3U);
  EXPECT_EQ(lists.passed_over.size(), before + 7);
  const DataSet data = read_tinyimagenet(folder.path(), 1);
  EXPECT_EQ(data.classes, 2);
  EXPECT_EQ(data.train.size(), 4);
  EXPECT_EQ(data.test.size(), 3);
}

TEST(TinyImageNet, IsFoundInTheFolderOfItsArchiveToo) {
  const TemporaryFolder folder;
  write_tinyimagenet(folder / "tiny-imagenet-200");
  EXPECT_EQ(list_tinyimagenet(folder.path()).train.files.size(), 4U);
  const TemporaryFolder empty;
  EXPECT_THAT(error_of([&] { list_tinyimagenet(empty.path()); }),
              AllOf(HasSubstr("wnids.txt"), HasSubstr("make data-tinyimagenet")));
}

TEST(TinyImageNet, ErrorsNameFileAndLine) {
  const TemporaryFolder folder;
  write_tinyimagenet(folder.path());
  const fs::path annotations = folder / "val/val_annotations.txt";
  const auto error_with = [&](std::string_view text) {
    write_text(annotations, text);
    return error_of([&] { list_tinyimagenet(folder.path()); });
  };
  const std::string good = "val_0.JPEG\tn02\t0\nval_1.JPEG\tn02\t0\n";
  EXPECT_THAT(error_with(good),
              HasSubstr("val_2.JPEG: val_annotations.txt does not name the file"));
  EXPECT_THAT(error_with(good + "val_2.JPEG n02\n"),
              HasSubstr("val_annotations.txt: line 3: it has fewer than three columns"));
  EXPECT_THAT(error_with(good + "val_2.JPEG\tn07\t0\n"),
              HasSubstr("line 3: there is no class 'n07'"));
  EXPECT_THAT(error_with(good + "val_1.JPEG\tn02\t0\n"),
              HasSubstr("line 3: file val_1.JPEG is annotated twice"));
  EXPECT_THAT(error_with(good + "val_2.JPEG\tn02\t0\nval_3.JPEG\tn02\t0\n"),
              HasSubstr("it names val_3.JPEG, but there is no such file in images"));
}

TEST(TinyImageNet, ClassesMustBeThoseOfTheList) {
  const TemporaryFolder folder;
  write_tinyimagenet(folder.path());
  write_text(folder / "wnids.txt", "n01\nn02\nn03\n");
  EXPECT_THAT(error_of([&] { list_tinyimagenet(folder.path()); }),
              HasSubstr("wnids.txt: it lists class 'n03', but train has no such folder"));
  write_text(folder / "wnids.txt", "n01\nn04\n");
  EXPECT_THAT(error_of([&] { list_tinyimagenet(folder.path()); }),
              HasSubstr("train/n02: wnids.txt does not list this class"));
  write_text(folder / "wnids.txt", "n01\nn02\nn01\n");
  EXPECT_THAT(error_of([&] { list_tinyimagenet(folder.path()); }), HasSubstr("class 'n01' twice"));
}

TEST(TinyImageNet, AClassIsAFolderOfTrainWhateverTheListSays) {
  const TemporaryFolder folder;
  write_tinyimagenet(folder.path());
  write_image(folder / "elsewhere/images/a.JPEG", smooth_image(64, 64));
  for (const std::string& name :
       {std::string("../elsewhere"), (folder / "elsewhere").string(), std::string("n02/../n01"),
        std::string("/"), std::string(".."), std::string(".")}) {
    write_text(folder / "wnids.txt", "n01\nn02\n" + name + "\n");
    EXPECT_THAT(error_of([&] { list_tinyimagenet(folder.path()); }),
                HasSubstr("wnids.txt: it lists class '" + name + "', but train has no such"));
  }
}

TEST(TinyImageNet, BlankLinesAtTheEndOfItsListsAreNone) {
  const TemporaryFolder folder;
  write_tinyimagenet(folder.path());
  write_text(folder / "wnids.txt", "n02\nn01\n\n\r\n");
  write_text(folder / "val/val_annotations.txt",
             "val_0.JPEG\tn02\t0\nval_1.JPEG\tn02\t0\nval_2.JPEG\tn01\t0\n\n");
  EXPECT_THAT(list_tinyimagenet(folder.path()).classes, ElementsAre("n01", "n02"));
  write_text(folder / "wnids.txt", "n02\n\nn01\n");
  EXPECT_THAT(error_of([&] { list_tinyimagenet(folder.path()); }),
              HasSubstr("wnids.txt: line 2: it is blank"));
}

TEST(TinyImageNet, ImagesThatCannotBeTakenAreAnErrorUnlessTheyMayBePassedOver) {
  const TemporaryFolder folder;
  write_tinyimagenet(folder.path());
  write_image(folder / "train/n01/one_up.JPEG", smooth_image(64, 64));
  write_text(folder / "val/images/other.webp", "x");
  EXPECT_THAT(error_of([&] { list_tinyimagenet(folder.path()); }),
              AllOf(HasSubstr("one_up.JPEG: an image where none is expected: it and 1 others"),
                    HasSubstr("other.webp")));
  const ImageLists lists = list_tinyimagenet(folder.path(), Stray::pass_over);
  EXPECT_EQ(lists.train.files.size(), 4U);
  EXPECT_EQ(lists.test.files.size(), 3U);
}

TEST(TinyImageNet, ImagesBesideTheFoldersOfImagesAreAnErrorUnlessTheyMayBePassedOver) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"train/n01/extra/x.JPEG", "train/n01/extra"},
      {"train/n01/deep/er/x.JPEG", "train/n01/deep"},
      {"train/n02/x.JPEG", "train/n02/x.JPEG"},
      {"val/x.JPEG", "val/x.JPEG"},
      {"val/images2/x.JPEG", "val/images2"}};
  for (const auto& [where, named] : cases) {
    const TemporaryFolder folder;
    write_tinyimagenet(folder.path());
    write_text(folder / "train/n02/notes/about.txt", "no image");
    const std::size_t before = list_tinyimagenet(folder.path()).passed_over.size();
    EXPECT_EQ(before, 3U);  // two files of boxes, one folder of notes
    write_image(folder / where, smooth_image(64, 64));
    EXPECT_THAT(error_of([&] { list_tinyimagenet(folder.path()); }),
                AllOf(HasSubstr(named + ": "), HasSubstr("would be left out")));
    const ImageLists lists = list_tinyimagenet(folder.path(), Stray::pass_over);
    EXPECT_EQ(lists.train.files.size(), 4U);
    EXPECT_EQ(lists.passed_over.size(), before + 1);
  }
}

TEST(TinyImageNet, ListsMayBeginWithAByteOrderMark) {
  const TemporaryFolder folder;
  write_tinyimagenet(folder.path());
  write_text(folder / "wnids.txt", "\xEF\xBB\xBFn02\r\nn01 \r\n");
  write_text(folder / "val/val_annotations.txt",
             "\xEF\xBB\xBFval_0.JPEG\tn02\t0\nval_1.JPEG\tn02\t0\nval_2.JPEG\tn01\t0\n");
  EXPECT_THAT(list_tinyimagenet(folder.path()).classes, ElementsAre("n01", "n02"));
  using std::string_view_literals::operator""sv;
  write_text(folder / "wnids.txt", "n\0\0\n"sv);
  EXPECT_THAT(error_of([&] { list_tinyimagenet(folder.path()); }),
              HasSubstr("wnids.txt: is not a text file: byte 1 is 0"));
}

TEST(TinyImageNet, IsReadAsRawPixelsInPlanes) {
  const TemporaryFolder folder;
  write_tinyimagenet(folder.path());
  const DataSet data = read_tinyimagenet(folder.path(), 2);
  EXPECT_EQ(data.train.shape, (Shape{3, 64, 64}));
  EXPECT_EQ(data.test.size(), 3);
  const RgbImage image = decode_image(read_file(folder / "val/images/val_0.JPEG"), "x");
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t p = 0; p < 4096; ++p) {
      ASSERT_EQ(data.test.pixels.at(c * 4096 + p), image.pixels.at(3 * p + c));
    }
  }
}

TEST(TinyImageNet, DamagedImagesAreAnErrorOrLeftOutAndListed) {
  const TemporaryFolder folder;
  write_tinyimagenet(folder.path());
  const fs::path damaged = folder / "train/n01/images/n01_1.JPEG";
  fs::resize_file(damaged, fs::file_size(damaged) / 2);
  write_image(folder / "val/images/val_1.JPEG", smooth_image(64, 63));
  EXPECT_THAT(error_of([&] { read_tinyimagenet(folder.path(), 2); }),
              HasSubstr("n01_1.JPEG: byte "));
  LeftOut left_out;
  const DataSet data = read_tinyimagenet(folder.path(), 2, &left_out);
  EXPECT_THAT(data.train.labels, ElementsAre(0, 1, 1));
  EXPECT_THAT(data.test.labels, ElementsAre(1, 0));
  EXPECT_EQ(data.train.pixels.size(), 3U * 12288);
  EXPECT_THAT(left_out.train, ElementsAre(HasSubstr(damaged.string() + ": byte ")));
  EXPECT_THAT(left_out.test, ElementsAre(HasSubstr("val_1.JPEG: 64x63 pixels, not 64x64")));
}

TEST(OpenImageFolder, KeepsTheFilesAndTheConventionsOfImageNet) {
  const TemporaryFolder folder;
  test::write_image_folder(folder.path(), 2, 2);
  const DataSet data = open_image_folder(folder.path(), "imagenet", 48);
  EXPECT_EQ(data.train.shape, (Shape{3, 48, 48}));
  EXPECT_TRUE(data.train.encoded());
  EXPECT_TRUE(data.resized_crop);
  EXPECT_EQ(data.crop_padding, 0);
  EXPECT_THAT(normalisation(data).mean, ElementsAre(0.485F, 0.456F, 0.406F));
  EXPECT_THAT(data.train.pixels, IsEmpty());
  EXPECT_THAT(error_of([&] { static_cast<void>(data.train.raw_pixels()); }), HasSubstr("encoded"));
}

}  // namespace
}  // namespace gcg
