#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace gcg {

/// What the control groups of this process allow it to use; the machine itself may have more.
struct GroupLimits {
  std::optional<std::int64_t> memory_bytes;       ///< smallest limit of all enclosing groups
  std::optional<std::int64_t> free_memory_bytes;  ///< smallest room left in them: limit minus use;
                                                  ///< pages of files can be dropped and are not use
  std::optional<double> cores;                    ///< processor time per second
};

/// Reads the limits (cgroup versions 1 and 2) of this process's group and of every group around it.
/// `root` is where /proc and the mounted groups are looked for. What cannot be read sets no limit.
GroupLimits group_limits(const std::filesystem::path& root = "/");

/// Processes of this process's control group that the system has killed because memory ran out;
/// nothing where that cannot be read. `root`: as for group_limits.
std::optional<std::int64_t> memory_kills(const std::filesystem::path& root = "/");

}  // namespace gcg
