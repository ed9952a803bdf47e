#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "record/run_record.h"

namespace gcg {

/// Name of the run file in a run's folder.
inline constexpr const char* kRunFileName = "run.h5";

/// Writes the record as an HDF5 file to a temporary path and renames it.
void write_run_file(const std::filesystem::path& path, const RunRecord& record);

/// Reads the whole run file back (of the network: layers only). Errors name path and object: a
/// missing or wrong checksum, another schema version, a missing or malformed object.
RunRecord read_run_file(const std::filesystem::path& path);

/// The schema version of a run file, written by this program or another version. Errors: as for
/// read_run_file, except for the version.
std::int64_t run_file_schema(const std::filesystem::path& path);

/// Reads the mask of one stage from a run file (-1: the last stage), for fixed_mask.
Mask read_stage_mask(const std::filesystem::path& path, std::int64_t stage);

/// Version of the HDF5 library that the process runs with, "1.10.8".
std::string hdf5_version();

}  // namespace gcg
