#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace gcg {

/// A whole file mapped into memory: the system reads it when it is touched and shares it between
/// processes. The file must not be changed meanwhile: touching a part that was cut off ends the
/// process with SIGBUS. (Renaming another file over it is no change.) Code that reads for hours
/// calls check_unchanged() before each piece.
class MappedFile {
 public:
  /// Errors: the file is missing, not regular or cannot be mapped. Empty files have no bytes.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  /// Throws an Error if the file was cut, extended or written to since it was opened. Costs one
  /// system call.
  void check_unchanged() const;

 private:
  struct Facts {
    std::int64_t bytes = 0;
    std::int64_t seconds = 0;  ///< of the last change
    std::int64_t nanoseconds = 0;
    bool operator==(const Facts&) const = default;
  };
  [[nodiscard]] Facts facts() const;

  std::filesystem::path path_;
  int descriptor_ = -1;
  Facts opened_;
  std::span<const std::byte> bytes_;
};

}  // namespace gcg
