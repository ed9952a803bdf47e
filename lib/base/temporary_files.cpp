#include "base/temporary_files.h"

#include <string>
#include <vector>

namespace gcg {

void remove_temporary_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> left;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".tmp") || name.starts_with(".write-probe.")) {
      left.push_back(entry.path());
    }
  }
  for (const std::filesystem::path& path : left) {
    std::filesystem::remove(path);
  }
}

}  // namespace gcg
