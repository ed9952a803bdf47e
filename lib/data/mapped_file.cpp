#include "data/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/system_call.h"

namespace gcg {

MappedFile::MappedFile(const std::filesystem::path& path)
    // Without O_NONBLOCK a pipe in the place of a file would wait for a writer.
    : path_(path),
      descriptor_(
          retried([&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); })) {
  if (descriptor_ < 0) {
    throw Error(path.string(), fmt::format("cannot read: {}", std::strerror(errno)),
                "check the path");
  }
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    throw Error(path.string(), "is not a regular file");
  }
  opened_ = facts();
  void* first = nullptr;
  if (opened_.bytes > 0) {
    first = ::mmap(nullptr, static_cast<std::size_t>(opened_.bytes), PROT_READ, MAP_SHARED,
                   descriptor_, 0);
  }
  if (first == MAP_FAILED) {
    const int code = errno;
    ::close(descriptor_);
    throw Error(path.string(), fmt::format("cannot map into memory: {}", std::strerror(code)));
  }
  bytes_ = {static_cast<const std::byte*>(first), static_cast<std::size_t>(opened_.bytes)};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) {
    ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
  ::close(descriptor_);
}

MappedFile::Facts MappedFile::facts() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) {
    throw Error(path_.string(), fmt::format("cannot read: {}", std::strerror(errno)));
  }
  return {status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

void MappedFile::check_unchanged() const {
  if (const Facts now = facts(); now != opened_) {
    throw Error(path_.string(),
                fmt::format("the file was changed while it was in use: {} bytes, {} when it was "
                            "opened",
                            now.bytes, opened_.bytes),
                "remove the file, prepare the data set again and start the same command again: it "
                "continues");
  }
}

}  // namespace gcg
