#pragma once

#include <filesystem>
#include <string>

#include "record/run_record.h"

namespace gcg {

/// Throws an Error that names `place` unless both networks have layers of the same names and sizes
/// in the same order.
void check_same_layers(const std::string& place, const Network& found, const Network& expected);

/// Throws an Error that names `place` unless the record found there is of the same run as `run`, by
/// identity, name, data and layers: files can be copied to where they do not belong.
void check_belongs(const std::filesystem::path& place, const RunRecord& found,
                   const RunRecord& run);

}  // namespace gcg
