#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gcg {

/// Throws the Error for a failed system call on a file: "cannot ACTION: REASON" (the system's text
/// for the error number), with a remedy for common causes (full disk, no permission).
[[noreturn]] void throw_file_error(const std::filesystem::path& path, std::string_view action,
                                   int code);

/// The whole content of a file. Errors name the path and the system's reason.
std::vector<std::byte> read_file(const std::filesystem::path& path);

/// Writes `content` to a temporary file beside `path`, flushes it to disk, closes it and renames
/// it: a reader or a crash sees the whole old file or the whole new one. Links are followed. The
/// folder must exist. Errors: `path` is no regular file, a full disk, missing permission; the old
/// file then stays as it was and nothing else is left. Warns once, on standard error, if the file
/// system cannot flush.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> content);
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// For a file that a user names: throws an Error where a regular file is that does not begin with
/// `mark`, as all of the kind (`kind`, for the message) do. What stands there is another file.
void check_replaces(const std::filesystem::path& path, std::string_view mark,
                    std::string_view kind);

/// The same without waiting for the disk. What it returns flushes and closes the file, once; call
/// it before writing what rests on this file. Until then a descriptor is open and a power cut may
/// leave a file with too little in it. flush_folder_of flushes its name.
[[nodiscard]] std::function<void()> write_file_to_flush(const std::filesystem::path& path,
                                                        std::span<const std::byte> content);

/// HOST.PROCESS, for the names of files that several hosts or containers may create in one folder:
/// a process number alone is not unique there.
std::string own_mark();

/// Flushes what was written to an open file; false, with errno, if that fails. Some file systems
/// cannot flush at all: then one warning of the process says so, and it counts as success.
bool flush_to_disk(int descriptor, const std::filesystem::path& path);

/// Flushes the folder of `path` to disk, so that its present file names survive a power cut.
void flush_folder_of(const std::filesystem::path& path);

/// Creates the folder and its parents, and checks that files can be written there (else an Error).
void make_writable_folder(const std::filesystem::path& folder);

}  // namespace gcg
