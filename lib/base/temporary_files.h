#pragma once

#include <filesystem>

namespace gcg {

/// Removes the temporary files (base/file.h) that killed processes left unfinished in a folder and
/// below it, and probes of clocks and locks (base/lease.h, base/folder_lock.h) that are older than
/// an hour: processes that do not hold the lock make those too. The caller must
/// hold the folder's lock.
void remove_temporary_files(const std::filesystem::path& folder);

/// Removes right in a folder, not below it, what is older than an hour of such probes and of files
/// that bear the mark of a process (NAME.HOST.PID.tmp). Nobody need hold its lock.
void remove_old_files(const std::filesystem::path& folder);

}  // namespace gcg
