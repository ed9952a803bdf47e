#include "data/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace gcg {

MappedFile::MappedFile(const std::filesystem::path& path) {
  // Without O_NONBLOCK a pipe in the place of a file would wait for a writer.
  const int file = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) {
    throw Error(path.string(), fmt::format("cannot read: {}", std::strerror(errno)),
                "check the path");
  }
  struct stat facts {};
  if (::fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    ::close(file);
    throw Error(path.string(), "is not a regular file");
  }
  void* first = nullptr;
  if (facts.st_size > 0) {
    first =
        ::mmap(nullptr, static_cast<std::size_t>(facts.st_size), PROT_READ, MAP_SHARED, file, 0);
  }
  const int code = errno;
  ::close(file);
  if (first == MAP_FAILED) {
    throw Error(path.string(), fmt::format("cannot map into memory: {}", std::strerror(code)));
  }
  bytes_ = {static_cast<const std::byte*>(first), static_cast<std::size_t>(facts.st_size)};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) {
    ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
}

}  // namespace gcg
