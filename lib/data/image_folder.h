#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace gcg {

/// Files of encoded images and their labels.
struct ImageList {
  std::vector<std::filesystem::path> files;
  std::vector<std::int32_t> labels;
};

/// The image files of a data set. Labels are the places of the classes in ascending order of their
/// names (bytes compared); files are in the order of their names within a class.
struct ImageLists {
  std::vector<std::string> classes;
  ImageList train;
  ImageList test;
  /// What else the folders hold: "PATH: REASON", sorted.
  std::vector<std::string> passed_over{};
};

/// What becomes of something in a folder that looks like an image and is not taken for one: a link
/// to nothing, an image of another format (by its ending or its first bytes), images in a folder
/// where none are expected. Hidden files and such that are no images are passed over either way.
enum class Stray : std::uint8_t { refuse, pass_over };

/// A folder in ImageNet's style: train/CLASS/FILE and val/CLASS/FILE (the official validation set
/// is the test set here). Files are images if their names end in .jpeg, .jpg, .jpe, .jfif or .png,
/// in letters of either case. Errors: a part is missing, a class without images in either part, a
/// class of val that train does not have, fewer than two classes, stray images (unless they may be
/// passed over).
ImageLists list_image_folder(const std::filesystem::path& folder, Stray stray = Stray::refuse);

/// The folder of TinyImageNet, or one with it as tiny-imagenet-200: wnids.txt (the classes),
/// train/CLASS/images/FILE, val/images/FILE and val/val_annotations.txt (a line per image: file,
/// class and a box, parted by tabs). Errors name file and line: a class without images, a class
/// folder that wnids.txt does not list, an annotation without its file or of no known class, a file
/// without its annotation or with two; stray images as above. Blank lines at the end are none.
ImageLists list_tinyimagenet(const std::filesystem::path& folder, Stray stray = Stray::refuse);

/// A digest of the files' names below `folder`, sizes and labels, not of what is in them: 150 GB
/// are not read at every start of a run. The prepared form has a digest of its content.
std::string listing_digest(const std::filesystem::path& folder, const ImageLists& lists);

/// The errors of damaged images that were left out, by split; each names its file.
struct LeftOut {
  std::vector<std::string> train;
  std::vector<std::string> test;
};

/// Decodes files into raw pixels, all of one shape (3 channels), on this many threads. A damaged
/// file or another shape is an Error; if `left_out` is not null the image is left out and its error
/// listed there instead.
ImageSet decode_files(const ImageList& list, Shape shape, std::int64_t threads,
                      std::vector<std::string>* left_out = nullptr);

/// TinyImageNet as raw pixels of 3x64x64.
DataSet read_tinyimagenet(const std::filesystem::path& folder, std::int64_t threads,
                          LeftOut* left_out = nullptr, Stray stray = Stray::refuse);

/// How encoded images are used: random-resized crops and mirrored in training, no padding,
/// normalised by the published statistics of ImageNet's training images.
void use_encoded_conventions(DataSet& data);

/// An ImageNet-style folder whose images are decoded when they are needed, at edge x edge pixels.
DataSet open_image_folder(const std::filesystem::path& folder, const std::string& name,
                          std::int64_t edge, Stray stray = Stray::refuse);

}  // namespace gcg
