#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gcg {

/// Throws the Error of a failed system call on a file: "cannot ACTION: REASON" for the system's
/// error number, with a remedy where there is one (a full disk, a missing permission).
[[noreturn]] void throw_file_error(const std::filesystem::path& path, std::string_view action,
                                   int code);

/// The whole content of a file. Errors name the path and the system's reason.
std::vector<std::byte> read_file(const std::filesystem::path& path);

/// Writes `content` to a temporary file beside `path`, flushes it to disk by the descriptor that
/// wrote, closes it and renames it, so that a reader or a crash sees the old file or the new one,
/// whole. A link is written through; what is there and no regular file is refused. The folder must
/// exist. A full disk, a missing permission: an Error; the old file and nothing else stays behind.
/// A file system that cannot flush is told of once, on standard error.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> content);
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// The same for a writer that wants a path: `write` is given a temporary path in the same folder.
void replace_file(const std::filesystem::path& path,
                  const std::function<void(const std::filesystem::path&)>& write);

/// HOST.PROCESS, for names of files that several hosts or containers may make in one folder:
/// numbers of processes alone come twice there.
std::string own_mark();

/// Flushes what was written to an open file; false, with errno, if that fails. Some file systems
/// cannot flush: then nobody can, one warning of the process says so, and that is no failure.
bool flush_to_disk(int descriptor, const std::filesystem::path& path);

/// Makes the names in the folder of `path` as they are now outlive a power cut.
void flush_folder_of(const std::filesystem::path& path);

/// Creates the folder and its parents, and checks that a file can be written there.
void make_writable_folder(const std::filesystem::path& folder);

}  // namespace gcg
