#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include "data/dataset.h"

namespace gcg {

/// The folder of the prepared files of a data folder: itself or its subfolder "prepared"; nothing
/// if neither has any.
std::optional<std::filesystem::path> find_prepared(const std::filesystem::path& folder);

/// Opens the data set made of two prepared files, train.images and test.images, and sources.txt.
/// The files that they were prepared from are compared with what is recorded about them
/// (data/sources.h). Digests of raw images are checked here, those of encoded ones when they are
/// read. Encoded images are used at `edge` x `edge` pixels. Errors, besides those of PreparedFile:
/// another data set or split than asked for, files that do not belong together, changed sources, a
/// class without images.
DataSet open_prepared(const std::filesystem::path& folder, std::string_view name,
                      std::int64_t edge);

}  // namespace gcg
