#include "base/control_group.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace gcg {

namespace fs = std::filesystem;

namespace {

/// A place where groups are mounted.
struct Mount {
  fs::path group;  ///< that stands at its top
  fs::path place;
  bool version_2 = false;
  std::string controllers;  ///< ",cpu,cpuacct,"; of version 1
};

/// A number alone in a file; nothing where there is none ("max").
std::optional<std::int64_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  std::int64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

/// The number behind a name, of a file of such lines.
std::optional<std::int64_t> number_of(const fs::path& path, std::string_view wanted) {
  std::ifstream file(path);
  std::string name;
  for (std::int64_t number = 0; file >> name >> number;) {
    if (name == wanted) {
      return number;
    }
  }
  return std::nullopt;
}

/// Bytes of pages of files that a group holds.
std::int64_t file_pages(const fs::path& statistics, std::string_view prefix) {
  return number_of(statistics, fmt::format("{}inactive_file", prefix)).value_or(0) +
         number_of(statistics, fmt::format("{}active_file", prefix)).value_or(0);
}

std::vector<Mount> mounts(const fs::path& root) {
  // "31 23 0:28 GROUP PLACE rw,relatime shared:1 - cgroup2 cgroup2 rw": any number of fields before
  // the dash.
  std::vector<Mount> found;
  std::ifstream file(root / "proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string skipped;
    Mount mount;
    std::string group;
    std::string place;
    fields >> skipped >> skipped >> skipped >> group >> place;
    while (fields >> skipped && skipped != "-") {
    }
    std::string type;
    std::string source;
    std::string options;
    fields >> type >> source >> options;
    if (type != "cgroup" && type != "cgroup2") {
      continue;
    }
    mount.group = group;
    mount.place = root / fs::path(place).relative_path();
    mount.version_2 = type == "cgroup2";
    mount.controllers = fmt::format(",{},", options);
    found.push_back(std::move(mount));
  }
  return found;
}

template <typename T>
void lower(std::optional<T>& least, T value) {
  least = least ? std::min(*least, value) : value;
}

void read_memory(GroupLimits& limits, const fs::path& group, bool version_2) {
  const auto limit = number_in(group / (version_2 ? "memory.max" : "memory.limit_in_bytes"));
  const auto used = number_in(group / (version_2 ? "memory.current" : "memory.usage_in_bytes"));
  // Version 1 says "none" by a number near the largest.
  if (!limit || *limit > std::int64_t{1} << 60) {
    return;
  }
  lower(limits.memory_bytes, *limit);
  if (used) {
    const std::int64_t droppable = file_pages(group / "memory.stat", version_2 ? "" : "total_");
    lower(limits.free_memory_bytes, std::max<std::int64_t>(0, *limit - *used + droppable));
  }
}

void read_cores(GroupLimits& limits, const fs::path& group, bool version_2) {
  std::optional<std::int64_t> quota;
  std::optional<std::int64_t> period;
  if (version_2) {
    std::ifstream file(group / "cpu.max");
    std::int64_t both[2];
    if (file >> both[0] >> both[1]) {
      quota = both[0];
      period = both[1];
    }
  } else {
    quota = number_in(group / "cpu.cfs_quota_us");
    period = number_in(group / "cpu.cfs_period_us");
  }
  if (quota && period && *quota > 0 && *period > 0) {
    lower(limits.cores, static_cast<double>(*quota) / static_cast<double>(*period));
  }
}

/// The folders of a group and of all groups around it, as far as they are mounted.
std::vector<fs::path> folders(const Mount& mount, const fs::path& group) {
  fs::path inner = group.lexically_relative(mount.group);
  if (inner.empty() || *inner.begin() == "..") {
    inner = ".";  // a container sees its own group at the top
  }
  std::vector<fs::path> found{mount.place};
  for (const fs::path& part : inner) {
    if (part != ".") {
      found.push_back(found.back() / part);
    }
  }
  return found;
}

/// Calls `visit` with the folder and the version of this process's group for a controller, and of
/// every group around it, outermost first.
void visit_groups(const fs::path& root, std::string_view controller,
                  const std::function<void(const fs::path& group, bool version_2)>& visit) {
  const std::string word = fmt::format(",{},", controller);
  const std::vector<Mount> mounted = mounts(root);
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    // "4:memory:/group", "0::/group"
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) {
      continue;
    }
    const std::string controllers = fmt::format(",{},", line.substr(first + 1, second - first - 1));
    const bool version_2 = controllers == ",,";
    if (!version_2 && controllers.find(word) == std::string::npos) {
      continue;
    }
    for (const Mount& mount : mounted) {
      if (mount.version_2 != version_2 ||
          (!version_2 && mount.controllers.find(word) == std::string::npos)) {
        continue;
      }
      for (const fs::path& group : folders(mount, line.substr(second + 1))) {
        visit(group, version_2);
      }
    }
  }
}

}  // namespace

GroupLimits group_limits(const fs::path& root) {
  GroupLimits limits;
  visit_groups(root, "memory", [&](const fs::path& group, bool version_2) {
    read_memory(limits, group, version_2);
  });
  visit_groups(root, "cpu", [&](const fs::path& group, bool version_2) {
    read_cores(limits, group, version_2);
  });
  return limits;
}

std::optional<std::int64_t> memory_kills(const fs::path& root) {
  std::optional<std::int64_t> kills;  // of the innermost group that tells
  visit_groups(root, "memory", [&](const fs::path& group, bool version_2) {
    const auto told =
        number_of(group / (version_2 ? "memory.events" : "memory.oom_control"), "oom_kill");
    kills = told ? told : kills;
  });
  return kills;
}

}  // namespace gcg
