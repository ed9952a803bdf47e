#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/image_folder.h"

namespace gcg {

/// Lists folders of images and remembers what else they contain.
class FolderScan {
 public:
  explicit FolderScan(Stray stray) : stray_(stray) {}

  /// The images directly in a folder, sorted by the bytes of their names. An Error if the folder
  /// cannot be read.
  std::vector<std::filesystem::path> images(const std::filesystem::path& folder);
  /// The names of the subfolders of a folder that should hold no images itself, sorted.
  std::vector<std::string> folders(const std::filesystem::path& folder);

  /// "PATH: REASON" for everything that was neither, sorted. An Error if some of it may be images
  /// and `stray` does not allow passing them over.
  std::vector<std::string> check() const;

 private:
  void note(const std::filesystem::path& path, const std::string& reason, bool may_be_image);

  Stray stray_;
  std::vector<std::string> harmless_;
  std::vector<std::string> may_be_images_;
};

}  // namespace gcg
