#include "data/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/file.h"
#include "base/system_call.h"

namespace gcg {

AppendFile::AppendFile(const std::filesystem::path& path, std::int64_t size)
    : path_(path),
      descriptor_(
          retried([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666); })),
      size_(size) {
  if (descriptor_ < 0) {
    throw_file_error(path_, "create", errno);
  }
  if (retried([&] { return ::ftruncate(descriptor_, size); }) != 0) {
    const int code = errno;
    ::close(descriptor_);
    throw_file_error(path_, "set the size", code);
  }
}

AppendFile::~AppendFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

void AppendFile::append(std::span<const std::byte> bytes) {
  write(bytes, size_);
  size_ += std::ssize(bytes);
}

void AppendFile::write_front(std::span<const std::byte> bytes) { write(bytes, 0); }

void AppendFile::write(std::span<const std::byte> bytes, std::int64_t at) {
  while (!bytes.empty()) {
    const ssize_t count =
        retried([&] { return ::pwrite(descriptor_, bytes.data(), bytes.size(), at); });
    if (count < 0) {
      throw_file_error(path_, "write", errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    at += count;
  }
}

void AppendFile::finish() {
  if (!flush_to_disk(descriptor_, path_)) {
    throw_file_error(path_, "flush to disk", errno);
  }
  // An interrupted close has closed.
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) {
    throw_file_error(path_, "close", errno);
  }
}

void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (retried([&] { return ::rename(from.c_str(), to.c_str()); }) != 0) {
    throw_file_error(to, "rename the finished file", errno);
  }
  flush_folder_of(to);
}

}  // namespace gcg
