#include "base/temporary_files.h"

#include <chrono>
#include <string>
#include <vector>

namespace gcg {

namespace {

/// A probe lives for milliseconds; clocks of hosts may differ by minutes.
bool is_old_probe(const std::filesystem::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  if (!name.starts_with(".clock.") && !name.starts_with(".lock-probe.")) {
    return false;
  }
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
    if (temporary || is_old_probe(entry)) {
      left.push_back(entry.path());
    }
  }
  for (const std::filesystem::path& path : left) {
    std::filesystem::remove(path);
  }
}

void remove_old_probes(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (is_old_probe(entry)) {
      left.push_back(entry.path());
    }
  }
  for (const std::filesystem::path& path : left) {
    std::filesystem::remove(path);
  }
}

}  // namespace gcg
