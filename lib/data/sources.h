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
  std::string name;  ///< path relative to the folder of the sources
  std::int64_t bytes = 0;
  std::int64_t time = 0;  ///< time of its last change, in nanoseconds since 1970
};

/// What a prepared data set was made from: the content of sources.txt beside its files.
struct Sources {
  Digest set{};                   ///< PreparedHeader::set_digest of both files
  std::filesystem::path folder;   ///< absolute; relative if the prepared files lie in it or below
  std::vector<SourceFile> files;  ///< sorted by name
};

/// The publisher's files of a data set (a name of prepare_data) in a folder, sorted, with sizes and
/// times. Images that cannot be used are not among them. Errors: those of listing the data set; a
/// file that vanishes meanwhile.
std::vector<SourceFile> list_sources(std::string_view name, const std::filesystem::path& folder,
                                     std::int64_t threads);

/// The digest of names, sizes and times.
std::string sources_digest(const std::vector<SourceFile>& files);

/// Writes PREPARED/sources.txt, atomically: a first line with the version, then the set's digest,
/// the folder, "BYTES TIME NAME" for every file, and the SHA-256 of all of that.
void write_sources(const std::filesystem::path& prepared, const Sources& sources);

/// Reads it. Errors name the file and what is wrong; if it is missing: the preparation was not
/// finished.
Sources read_sources(const std::filesystem::path& prepared);

/// Compares the recorded files with those that are there now (sizes and times;
/// nothing is read). A difference is an Error that names the first of them and
/// says what to do. It is no difference if none of the files is there any more
/// (they were removed, or only the prepared files were moved). Times are compared
/// in whole seconds if one of them has no fraction: some copies lose fractions.
void check_sources(std::string_view name, const std::filesystem::path& prepared,
                   const Sources& sources, std::int64_t threads);

}  // namespace gcg
