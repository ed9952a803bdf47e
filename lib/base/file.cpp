#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/system_call.h"

namespace gcg {

namespace fs = std::filesystem;

void throw_file_error(const fs::path& path, std::string_view action, int code) {
  std::string_view remedy;
  if (code == ENOSPC || code == EDQUOT || code == EFBIG) {
    remedy = "make room for the file and start the same command again: it continues";
  } else if (code == EACCES || code == EROFS || code == EPERM) {
    remedy = action == "read" ? "change its permissions, or those of its folders"
                              : "choose a folder you may write to, or change its permissions";
  } else if (code == ENOENT) {
    remedy = "check the path";
  }
  throw Error(path.string(), fmt::format("cannot {}: {}", action, std::strerror(code)), remedy);
}

namespace {

constexpr int kMostLinks = 40;  // as many as the system follows

/// Says once in a process what is not guaranteed, and goes on.
void warn_once(bool& told, const fs::path& path, std::string_view what) {
  if (!std::exchange(told, true)) {
    const std::string line = fmt::format("warning: {}: {}\n", path.string(), what);
    (void)!::write(STDERR_FILENO, line.data(), line.size());  // nothing depends on its being read
  }
}

/// A file descriptor that closes itself. New files have the permissions that the user's umask
/// leaves.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags)
      : value_(retried([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0666); })) {}
  ~Descriptor() {
    if (value_ >= 0) {
      ::close(value_);
    }
  }
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return value_; }
  [[nodiscard]] bool open() const { return value_ >= 0; }
  /// A file system may tell at the close what went wrong before. An interrupted close has closed.
  [[nodiscard]] bool close() { return ::close(std::exchange(value_, -1)) == 0 || errno == EINTR; }

 private:
  int value_;
};

/// By the descriptor that wrote: another would not be told what went wrong with these bytes.
void flush_and_close(Descriptor& file, const fs::path& path) {
  if (!flush_to_disk(file.get(), path)) {
    throw_file_error(path, "flush to disk", errno);
  }
  if (!file.close()) {
    throw_file_error(path, "close", errno);
  }
}

void flush_file(const fs::path& path, int flags) {
  Descriptor file(path, flags);
  if (!file.open()) {
    throw_file_error(path, "flush to disk", errno);
  }
  flush_and_close(file, path);
}

/// Where a file of this name is written: behind the links, at a regular file or at nothing.
fs::path target_of(const fs::path& path) {
  if (path.empty()) {
    throw Error("file to write", "its name is empty", "name a file");
  }
  struct stat facts {};
  if (::stat(path.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) {
    throw Error(path.string(), "is not a regular file and is not replaced",
                "name a regular file, or a path that does not exist yet");
  }
  fs::path target = path;
  std::error_code code;
  for (int links = 0; fs::is_symlink(target, code); ++links) {
    const fs::path next = fs::read_symlink(target, code);
    if (code || links == kMostLinks) {
      throw Error(path.string(), "is a link that leads nowhere", "name a file");
    }
    target = next.is_absolute() ? next : target.parent_path() / next;
  }
  return target;
}

/// `write` makes a whole file of the given temporary name; it then takes the place of `path`. The
/// path behind links.
fs::path replace(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  fs::path target = target_of(path);
  const fs::path temporary = target.string() + fmt::format(".{}.tmp", own_mark());
  try {
    write(temporary);
    if (retried([&] { return ::rename(temporary.c_str(), target.c_str()); }) != 0) {
      throw_file_error(target, "rename the finished file", errno);
    }
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
  return target;
}

/// A new file of this name with this content, still open.
Descriptor written(const fs::path& path, std::span<const std::byte> content) {
  Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file.open()) {
    throw_file_error(path, "create", errno);
  }
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t count =
        retried([&] { return ::write(file.get(), content.data() + done, content.size() - done); });
    if (count < 0) {
      throw_file_error(path, "write", errno);
    }
    done += static_cast<std::size_t>(count);
  }
  return file;
}

}  // namespace

bool flush_to_disk(int descriptor, const fs::path& path) {
  if (retried([&] { return ::fsync(descriptor); }) == 0) {
    return true;
  }
  if (errno != EINVAL && errno != ENOTSUP && errno != ENOSYS) {
    return false;
  }
  static bool told = false;
  warn_once(told, path,
            "this file system cannot flush to disk: after a power cut the newest files may be "
            "older or missing");
  return true;
}

std::string own_mark() {
  char host[256] = "";
  ::gethostname(host, sizeof(host) - 1);
  return fmt::format("{}.{}", host, ::getpid());
}

void flush_folder_of(const fs::path& path) {
  flush_file(path.has_parent_path() ? path.parent_path() : fs::path("."), O_RDONLY | O_DIRECTORY);
}

std::vector<std::byte> read_file(const fs::path& path) {
  if (path.empty()) {
    throw Error("file to read", "its name is empty", "name a file");
  }
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
    const ssize_t count =
        retried([&] { return ::read(file.get(), content.data() + done, content.size() - done); });
    if (count < 0) {
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

void write_file_atomically(const fs::path& path, std::span<const std::byte> content) {
  flush_folder_of(replace(path, [&](const fs::path& temporary) {
    Descriptor file = written(temporary, content);
    flush_and_close(file, temporary);
  }));
}

void check_replaces(const fs::path& path, std::string_view mark, std::string_view kind) {
  std::error_code unreadable;
  if (!fs::is_regular_file(path, unreadable) || fs::is_empty(path, unreadable)) {
    return;
  }
  std::ifstream file(path, std::ios::binary);
  std::string begin(mark.size(), '\0');
  if (!file.read(begin.data(), std::ssize(begin)) || begin != mark) {
    throw Error(path.string(),
                fmt::format("is there already and is no {}: it is not replaced", kind),
                "name another file");
  }
}

std::function<void()> write_file_to_flush(const fs::path& path,
                                          std::span<const std::byte> content) {
  std::shared_ptr<Descriptor> file;
  const fs::path target = replace(path, [&](const fs::path& temporary) {
    file = std::make_shared<Descriptor>(written(temporary, content));
  });
  return [file = std::move(file), target] {
    if (file->open()) {
      flush_and_close(*file, target);
    }
  };
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  write_file_atomically(path, std::as_bytes(std::span(content.data(), content.size())));
}

void make_writable_folder(const fs::path& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code == std::errc::file_exists || code == std::errc::not_a_directory) {
    throw Error(folder.string(),
                "is, or lies below, something that is no folder: a file, or a link to nothing",
                "name another folder");
  }
  if (code) {
    throw_file_error(folder, "create the folder", code.value());
  }
  {
    // A file without a name leaves nothing behind, whatever happens.
    const Descriptor file(folder, O_WRONLY | O_TMPFILE);
    if (file.open()) {
      return;
    }
  }
  const fs::path probe = folder / fmt::format(".write-probe.{}", own_mark());
  {
    const Descriptor file(probe, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.open()) {
      throw_file_error(folder, "write to the folder", errno);
    }
  }
  fs::remove(probe, code);
}

}  // namespace gcg
