#pragma once

#include <filesystem>

namespace gcg {

/// Removes the temporary files (base/file.h) that killed processes left unfinished in a folder and
/// below it. The caller must hold the folder's lock.
void remove_temporary_files(const std::filesystem::path& folder);

}  // namespace gcg
