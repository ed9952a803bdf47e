#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace gcg {

namespace fs = std::filesystem;

void throw_file_error(const fs::path& path, std::string_view action, int code) {
  std::string_view remedy;
  if (code == ENOSPC || code == EDQUOT) {
    remedy = "free some disk space and start the same command again: it continues";
  } else if (code == EACCES || code == EROFS || code == EPERM) {
    remedy = "choose a folder you may write to, or change its permissions";
  } else if (code == ENOENT) {
    remedy = "check the path";
  }
  throw Error(path.string(), fmt::format("cannot {}: {}", action, std::strerror(code)), remedy);
}

namespace {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags)
      : value_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~Descriptor() {
    if (value_ >= 0) {
      ::close(value_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return value_; }
  [[nodiscard]] bool open() const { return value_ >= 0; }

 private:
  int value_;
};

void flush_to_disk(const fs::path& path, int flags) {
  const Descriptor file(path, flags);
  if (!file.open() || ::fsync(file.get()) != 0) {
    throw_file_error(path, "flush to disk", errno);
  }
}

}  // namespace

std::vector<std::byte> read_file(const fs::path& path) {
  // Without O_NONBLOCK a pipe in the place of a file would wait for a writer.
  const Descriptor file(path, O_RDONLY | O_NONBLOCK);
  struct stat facts {};
  if (!file.open() || ::fstat(file.get(), &facts) != 0) {
    throw_file_error(path, "read", errno);
  }
  if (!S_ISREG(facts.st_mode)) {
    throw Error(path.string(), "is not a regular file");
  }
  std::vector<std::byte> content(static_cast<std::size_t>(facts.st_size));
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t count = ::read(file.get(), content.data() + done, content.size() - done);
    if (count < 0) {
      if (errno == EINTR) {
        continue;
      }
      throw_file_error(path, "read", errno);
    }
    if (count == 0) {
      throw Error(path.string(), fmt::format("ended at byte {} of {}", done, content.size()),
                  "it changed while it was read: try again");
    }
    done += static_cast<std::size_t>(count);
  }
  return content;
}

void replace_file(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  const fs::path temporary = path.string() + fmt::format(".{}.tmp", ::getpid());
  try {
    write(temporary);
    flush_to_disk(temporary, O_RDWR);
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      throw_file_error(path, "rename the finished file", errno);
    }
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
  flush_to_disk(path.has_parent_path() ? path.parent_path() : fs::path("."),
                O_RDONLY | O_DIRECTORY);
}

void write_file_atomically(const fs::path& path, std::span<const std::byte> content) {
  replace_file(path, [&](const fs::path& temporary) {
    const Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.open()) {
      throw_file_error(temporary, "create", errno);
    }
    std::size_t done = 0;
    while (done < content.size()) {
      const ssize_t count = ::write(file.get(), content.data() + done, content.size() - done);
      if (count < 0) {
        if (errno == EINTR) {
          continue;
        }
        throw_file_error(temporary, "write", errno);
      }
      done += static_cast<std::size_t>(count);
    }
  });
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  write_file_atomically(path, std::as_bytes(std::span(content.data(), content.size())));
}

void make_writable_folder(const fs::path& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) {
    throw_file_error(folder, "create the folder", code.value());
  }
  const fs::path probe = folder / fmt::format(".write-probe.{}", ::getpid());
  {
    const Descriptor file(probe, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.open()) {
      throw_file_error(folder, "write to the folder", errno);
    }
  }
  fs::remove(probe, code);
}

}  // namespace gcg
