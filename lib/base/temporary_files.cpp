#include "base/temporary_files.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace gcg {

namespace {

bool is_probe(const std::string& name) {
  return name.starts_with(".clock.") || name.starts_with(".lock-probe.");
}

/// Whether a name ends as those of temporary files do (base/file.h): ".HOST.PID.tmp".
bool has_mark(std::string_view name) {
  if (!name.ends_with(".tmp")) {
    return false;
  }
  name.remove_suffix(std::string_view(".tmp").size());
  const std::size_t dot = name.find_last_of('.');
  const std::string_view process = name.substr(dot == name.npos ? name.size() : dot + 1);
  return !process.empty() && process.find_first_not_of("0123456789") == process.npos &&
         name.substr(0, dot).find('.') != name.npos;
}

/// Such a file lives for seconds; clocks of hosts may differ by minutes.
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
    if (temporary || (is_probe(name) && is_old(entry))) {
      left.push_back(entry.path());
    }
  }
  for (const std::filesystem::path& path : left) {
    std::filesystem::remove(path);
  }
}

void remove_old_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool ours = is_probe(name) || name.starts_with(".write-probe.") || has_mark(name);
    if (ours && is_old(entry)) {
      left.push_back(entry.path());
    }
  }
  for (const std::filesystem::path& path : left) {
    std::filesystem::remove(path);
  }
}

}  // namespace gcg
