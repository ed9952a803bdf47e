#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"

namespace gcg {

/// A file that a data set was prepared from, as it was then.
struct SourceFile {
  std::string name;  ///< below the folder of the sources
  std::int64_t bytes = 0;
  std::int64_t time = 0;  ///< of its last change: nanoseconds since 1970
};

/// What a prepared data set was made from: sources.txt beside its files.
struct Sources {
  Digest set{};                   ///< PreparedHeader::set_digest of both files
  std::filesystem::path folder;   ///< absolute, or below or above the folder of the prepared files
  std::vector<SourceFile> files;  ///< by name
};

/// The publisher's files of a data set in a folder, by the names of prepare_data, sorted, with
/// sizes and times. Errors: those of listing the data set; images that cannot be taken are no files
/// of it.
std::vector<SourceFile> list_sources(std::string_view name, const std::filesystem::path& folder,
                                     std::int64_t threads);

/// A digest over names, sizes and times.
std::string sources_digest(const std::vector<SourceFile>& files);

/// Writes PREPARED/sources.txt, atomically: a first line with the version of the form, the set's
/// digest, the folder, "BYTES TIME NAME" for every file, and the SHA-256 of all that.
void write_sources(const std::filesystem::path& prepared, const Sources& sources);

/// Reads it. Errors name the file and what is wrong; one that is missing too: the preparation was
/// not finished.
Sources read_sources(const std::filesystem::path& prepared);

/// Holds the recorded files against those that are there now: an Error that names the first
/// differences and says what to do. Nothing is read of the files, only looked at. Sources of which
/// no file is there any more (they were removed, or the prepared files moved alone) are no
/// difference. Times count only as finely as both sides have them: some copies lose fractions of a
/// second.
void check_sources(std::string_view name, const std::filesystem::path& prepared,
                   const Sources& sources, std::int64_t threads);

}  // namespace gcg
