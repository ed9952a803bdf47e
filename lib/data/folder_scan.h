#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "data/image_folder.h"

namespace gcg {

/// Lists folders of images and remembers what else they contain.
class FolderScan {
 public:
  explicit FolderScan(Stray stray) : stray_(stray) {}

  /// The images directly in a folder, sorted by the bytes of their names. An Error if the folder
  /// cannot be read.
  [[nodiscard]] std::vector<std::filesystem::path> images(const std::filesystem::path& folder);
  /// The names of the subfolders of a folder that should hold no images itself, sorted.
  [[nodiscard]] std::vector<std::string> folders(const std::filesystem::path& folder);
  /// Looks for images in a folder beside the entries of these names, which hold or list them.
  void beside(const std::filesystem::path& folder,
              std::initializer_list<std::string_view> expected);

  /// "PATH: REASON" for everything that was neither, sorted. An Error if some of it may be images
  /// and `stray` does not allow passing them over.
  std::vector<std::string> check() const;

 private:
  void note_not_taken(const std::filesystem::directory_entry& entry);
  void note(const std::filesystem::path& path, const std::string& reason, bool may_be_image);

  Stray stray_;
  std::vector<std::string> harmless_;
  std::vector<std::string> may_be_images_;
};

}  // namespace gcg
