#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include "data/dataset.h"

namespace gcg {

/// Where the prepared files of a data folder are: in the folder itself or in its subfolder
/// "prepared"; nothing if neither has one.
std::optional<std::filesystem::path> find_prepared(const std::filesystem::path& folder);

/// The data set of two prepared files, train.images and test.images, and of sources.txt. The files
/// they were prepared from are held against what is recorded of them (data/sources.h). Raw images
/// are held against their digests here, encoded ones when they are read. `edge` is the size at
/// which encoded images are used. Errors, beside those of PreparedFile: files of another data set
/// or split than asked for, files that do not belong together, changed sources, a class without
/// images.
DataSet open_prepared(const std::filesystem::path& folder, std::string_view name,
                      std::int64_t edge);

}  // namespace gcg
