#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace gcg {

/// A file that is written at its end. Errors name the file and the system's reason.
class AppendFile {
 public:
  /// Opens or creates the file with exactly `size` bytes: anything beyond is cut off, anything
  /// missing is filled with zeros.
  AppendFile(const std::filesystem::path& path, std::int64_t size);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void append(std::span<const std::byte> bytes);
  /// Overwrites the first bytes.
  void write_front(std::span<const std::byte> bytes);
  /// Returns when everything is on the disk. Nothing can be written any more. A file system may
  /// tell only at the close that bytes were lost: that is an Error, too.
  void finish();

 private:
  void write(std::span<const std::byte> bytes, std::int64_t at);

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
};

/// Renames a flushed file, replacing any file that has the new name, and returns when the new name
/// is on disk. If the renaming fails (Error), both files are as before.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace gcg
