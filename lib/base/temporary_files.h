#pragma once

#include <filesystem>

namespace gcg {

/// Removes below a folder what killed processes left of files that they had not finished
/// (base/file.h): for whoever holds the folder's lock.
void remove_temporary_files(const std::filesystem::path& folder);

}  // namespace gcg
