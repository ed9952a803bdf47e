#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"

/// A fuzz target: reads the bytes as a file of its format. Whatever they are, it returns 0; a
/// crash, a sanitizer's report or an exception other than gcg::Error is a bug.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace gcg::test {

/// Small whole files of the format, to start from.
std::vector<std::vector<std::uint8_t>> fuzz_seeds();

/// Calls a reader, which may throw an Error that names its place.
template <typename Read>
int try_to(Read read) {
  try {
    read();
  } catch (const Error&) {
  }
  return 0;
}

inline std::vector<std::uint8_t> seed_of(std::span<const std::byte> bytes) {
  const auto* first = reinterpret_cast<const std::uint8_t*>(bytes.data());
  return {first, first + bytes.size()};
}

inline std::vector<std::uint8_t> seed_of(const std::string& text) {
  return {text.begin(), text.end()};
}

/// A folder for this process, with files written without the care for a crash.
class FuzzFolder {
 public:
  FuzzFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "gcg-fuzz-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~FuzzFolder() { std::filesystem::remove_all(path_); }
  FuzzFolder(const FuzzFolder&) = delete;
  FuzzFolder& operator=(const FuzzFolder&) = delete;

  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void write(const std::string& name, const void* data, std::size_t size) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::FILE* file = std::fopen((path_ / name).c_str(), "wb");
    if (size > 0) {
      std::fwrite(data, 1, size, file);
    }
    std::fclose(file);
  }
  void write(const std::string& name, const std::string& text) const {
    write(name, text.data(), text.size());
  }

 private:
  std::filesystem::path path_;
};

}  // namespace gcg::test
