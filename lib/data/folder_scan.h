#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/image_folder.h"

namespace gcg {

/// Looks into folders of images and remembers what it finds there beside images.
class FolderScan {
 public:
  explicit FolderScan(Stray stray) : stray_(stray) {}

  /// The images directly in a folder, sorted by name (bytes compared). An Error if it cannot be
  /// read.
  std::vector<std::filesystem::path> images(const std::filesystem::path& folder);
  /// The names of the folders in a folder that holds no images itself, sorted.
  std::vector<std::string> folders(const std::filesystem::path& folder);

  /// "PATH: REASON" for everything that was neither, sorted. An Error if images may be among it and
  /// they may not be passed over.
  std::vector<std::string> check() const;

 private:
  void note(const std::filesystem::path& path, const std::string& reason, bool may_be_image);

  Stray stray_;
  std::vector<std::string> harmless_;
  std::vector<std::string> may_be_images_;
};

}  // namespace gcg
