#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace gcg {

/// A whole file as memory that the system reads when it is touched and shares between processes.
/// The file must not be shortened meanwhile: touching what is gone ends the process (prepared files
/// are replaced, never changed).
class MappedFile {
 public:
  /// Errors: the file is missing, not regular or cannot be mapped. An empty file has no bytes.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace gcg
