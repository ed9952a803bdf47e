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

/// The image files of a data set. A class's label is its place in the ascending order of class
/// names (bytes compared); within a class, files are ordered by name.
struct ImageLists {
  std::vector<std::string> classes;
  ImageList train;
  ImageList test;
  /// What else the folders contain: "PATH: REASON", sorted.
  std::vector<std::string> passed_over{};
};

/// What to do with something that looks like an image but is not used: a broken link, an image in
/// another format (by extension or first bytes), images in a folder where none are expected. Hidden
/// files and files that are no images are passed over in any case.
enum class Stray : std::uint8_t { refuse, pass_over };

/// Lists a folder in ImageNet's layout: train/CLASS/FILE and val/CLASS/FILE (the official
/// validation set is the test set here). Images are the files that end in .jpeg, .jpg, .jpe, .jfif
/// or .png, in either case. Errors: a part is missing; a class has no images in one of the parts;
/// val has a class that train lacks; fewer than two classes; stray images (unless `stray` passes
/// them over).
ImageLists list_image_folder(const std::filesystem::path& folder, Stray stray = Stray::refuse);

/// Lists the folder of TinyImageNet, or one that contains it as tiny-imagenet-200: wnids.txt
/// (classes), train/CLASS/images/FILE, val/images/FILE and val/val_annotations.txt (per image:
/// file, class and a box, separated by tabs). Errors name file and line: a class without images, a
/// class folder not in wnids.txt, an annotation without a file or with an unknown class, a file
/// without an annotation or with two, stray images as above, also those beside the folders
/// `images`. Trailing blank lines are ignored.
ImageLists list_tinyimagenet(const std::filesystem::path& folder, Stray stray = Stray::refuse);

/// A digest of the files' names below `folder`, their sizes and labels, not of their content: that
/// would mean reading 150 GB whenever a run starts. The prepared form has a digest of its content.
std::string listing_digest(const std::filesystem::path& folder, const ImageLists& lists);

/// The errors of damaged images that were left out, per split; each names its file.
struct LeftOut {
  std::vector<std::string> train;
  std::vector<std::string> test;
};

/// Decodes files into raw pixels of one shape (3 channels), on `threads` threads. A damaged file or
/// another shape is an Error; with `left_out` such an image is left out instead and its error
/// listed there.
ImageSet decode_files(const ImageList& list, Shape shape, std::int64_t threads,
                      std::vector<std::string>* left_out = nullptr);

/// Reads TinyImageNet as raw pixels of 3x64x64.
DataSet read_tinyimagenet(const std::filesystem::path& folder, std::int64_t threads,
                          LeftOut* left_out = nullptr, Stray stray = Stray::refuse);

/// Sets how encoded images are used: random resized crops and mirroring in training, no padding,
/// normalised by the published statistics of ImageNet's training images.
void use_encoded_conventions(DataSet& data);

/// Opens a folder in ImageNet's layout. Images are decoded when needed, to edge x edge pixels.
DataSet open_image_folder(const std::filesystem::path& folder, const std::string& name,
                          std::int64_t edge, Stray stray = Stray::refuse);

}  // namespace gcg
