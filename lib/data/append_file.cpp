#include "data/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace gcg {

AppendFile::AppendFile(const std::filesystem::path& path, std::int64_t size)
    : path_(path),
      descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)),
      size_(size) {
  if (descriptor_ < 0) {
    throw_file_error(path_, "create", errno);
  }
  if (::ftruncate(descriptor_, size) != 0) {
    const int code = errno;
    ::close(descriptor_);
    throw_file_error(path_, "set the size", code);
  }
}

AppendFile::~AppendFile() { ::close(descriptor_); }

void AppendFile::append(std::span<const std::byte> bytes) {
  write(bytes, size_);
  size_ += std::ssize(bytes);
}

void AppendFile::write_front(std::span<const std::byte> bytes) { write(bytes, 0); }

void AppendFile::write(std::span<const std::byte> bytes, std::int64_t at) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(descriptor_, bytes.data(), bytes.size(), at);
    if (count < 0) {
      if (errno == EINTR) {
        continue;
      }
      throw_file_error(path_, "write", errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    at += count;
  }
}

void AppendFile::flush() {
  if (::fsync(descriptor_) != 0) {
    throw_file_error(path_, "flush to disk", errno);
  }
}

}  // namespace gcg
