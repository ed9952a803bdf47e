#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "record/run_record.h"

namespace gcg {

/// Name of the run file within a run's folder.
inline constexpr const char* kRunFileName = "run.h5";

/// Writes the record as a whole HDF5 file to a temporary path and renames it (replace_file).
void write_run_file(const std::filesystem::path& path, const RunRecord& record);

/// Reads a run file back, all of it (network: layers only). Errors name path and object: a checksum
/// that is missing or does not match, another schema version, a missing or misshapen object.
RunRecord read_run_file(const std::filesystem::path& path);

/// The schema version of a run file, of this program or another. Errors: as read_run_file, but for
/// the version.
std::int64_t run_file_schema(const std::filesystem::path& path);

/// The mask of one stage of a run file (-1: the last stage), for fixed_mask.
Mask read_stage_mask(const std::filesystem::path& path, std::int64_t stage);

/// Version of the HDF5 library the process runs with, "1.10.8".
std::string hdf5_version();

}  // namespace gcg
