#include "base/temporary_files.h"

#include <chrono>
#include <string>
#include <vector>

namespace gcg {

namespace {

/// A probe lives for milliseconds; clocks of hosts may differ by minutes.
bool is_old(const std::filesystem::directory_entry& entry) {
  std::error_code gone;
  const auto written = entry.last_write_time(gone);
  return !gone && std::filesystem::file_time_type::clock::now() - written > std::chrono::hours(1);
}

}  // namespace

void remove_temporary_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> left;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool temporary = name.ends_with(".tmp") || name.starts_with(".write-probe.");
    const bool probe = name.starts_with(".clock.") || name.starts_with(".lock-probe.");
    if (temporary || (probe && is_old(entry))) {
      left.push_back(entry.path());
    }
  }
  for (const std::filesystem::path& path : left) {
    std::filesystem::remove(path);
  }
}

}  // namespace gcg
