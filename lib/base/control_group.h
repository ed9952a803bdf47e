#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace gcg {

/// What the control groups of this process allow it beyond what the machine has.
struct GroupLimits {
  std::optional<std::int64_t> memory_bytes;       ///< least limit of all groups around it
  std::optional<std::int64_t> free_memory_bytes;  ///< least room: limit minus what is used, pages
                                                  ///< of files, which can be dropped, taken off
  std::optional<double> cores;                    ///< of processor time a second
};

/// Reads them, of version 1 and 2, in the group of this process and every group around it. `root`:
/// where /proc and the mounted groups are looked for. What cannot be read limits nothing.
GroupLimits group_limits(const std::filesystem::path& root = "/");

}  // namespace gcg
