// Preloaded into a program (LD_PRELOAD), it counts the calls of the system on files below a folder
// and makes one of them go wrong:
//
//   GCG_FAULT_FOLDER  absolute path of the folder
//   GCG_FAULT_AT      which call, from 0 on; none: all go right
//   GCG_FAULT_KIND    kill, killafter, short, or the name of an error: ENOSPC, EIO, EINTR, EDQUOT
//   GCG_FAULT_LOG     file that gets a line for every counted call: its name, w if the file is open
//                     for writing (else r), and the path of the file
//   GCG_FAULT_LACKS   what the file system cannot do below the folder: flush (EINVAL), folder-flush
//                     (the same of folders alone) or locks (ENOLCK)
//
// fsync is counted and not made, and sync is not made: what a killed process wrote, the system
// still has.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

constexpr int kDescriptors = 1024;
/// What is open: nothing that counts, or a file below the folder to be read, or one to be written.
enum class Open : char { not_here, to_read, to_write };
std::array<std::atomic<Open>, kDescriptors> descriptors{};
std::atomic<long> calls{0};

struct Plan {
  std::string_view folder, kind, lacks;
  long at = -1;
  int log = -1;
};

const Plan& plan() {
  static const Plan made = [] {
    const auto text = [](const char* name) {
      const char* value = std::getenv(name);
      return std::string_view(value == nullptr ? "" : value);
    };
    Plan plan{text("GCG_FAULT_FOLDER"), text("GCG_FAULT_KIND"), text("GCG_FAULT_LACKS")};
    if (const char* at = std::getenv("GCG_FAULT_AT")) {
      plan.at = std::strtol(at, nullptr, 10);
    }
    if (const char* log = std::getenv("GCG_FAULT_LOG")) {
      plan.log = static_cast<int>(
          ::syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    }
    return plan;
  }();
  return made;
}

bool below(const char* path) {
  return !plan().folder.empty() && path != nullptr &&
         std::string_view(path).starts_with(plan().folder);
}

bool counted(int descriptor) {
  return descriptor >= 0 && descriptor < kDescriptors &&
         descriptors[static_cast<std::size_t>(descriptor)] != Open::not_here;
}

int note(int descriptor, Open is) {
  if (descriptor >= 0 && descriptor < kDescriptors) {
    descriptors[static_cast<std::size_t>(descriptor)] = is;
  }
  return descriptor;
}

/// The file of a call, as the log has it.
struct File {
  bool to_write = false;
  std::string path;

  explicit File(const char* name) : path(name == nullptr ? "" : name) {}
  explicit File(int descriptor) {
    if (plan().log < 0 || !counted(descriptor)) {
      return;
    }
    to_write = descriptors[static_cast<std::size_t>(descriptor)] == Open::to_write;
    std::array<char, 4096> target{};
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
    path.assign(target.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  }
};

enum class Fault { none, error, half, kill_after };

/// Counts a call and says what becomes of it; errno is set for an error.
Fault fault(const std::string& call, const File& file) {
  const long number = calls++;
  if (plan().log >= 0) {
    const std::string line = call + (file.to_write ? " w " : " r ") + file.path + "\n";
    (void)!::syscall(SYS_write, plan().log, line.data(), line.size());
  }
  if (number != plan().at) {
    return Fault::none;
  }
  const std::string_view kind = plan().kind;
  if (kind == "kill") {
    ::raise(SIGKILL);
  }
  if (kind == "killafter") {
    return Fault::kill_after;
  }
  if (kind == "short") {
    return Fault::half;
  }
  errno = kind == "ENOSPC" ? ENOSPC : kind == "EDQUOT" ? EDQUOT : kind == "EINTR" ? EINTR : EIO;
  return Fault::error;
}

/// Makes the call unless the fault forbids it.
template <typename Result, typename Call>
Result made(const char* name, bool is_counted, const File& file, Result failure, Call call) {
  const Fault what = is_counted ? fault(name, file) : Fault::none;
  if (what == Fault::error) {
    return failure;
  }
  const Result result = call(what == Fault::half);
  if (what == Fault::kill_after) {
    ::raise(SIGKILL);
  }
  return result;
}

int opened(const char* path, int flags, mode_t mode) {
  const bool here = below(path);
  const Open as = (flags & O_ACCMODE) == O_RDONLY ? Open::to_read : Open::to_write;
  return made<int>("open", here, File(path), -1, [&](bool) {
    return note(static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode)),
                here ? as : Open::not_here);
  });
}

mode_t mode_of(int flags, va_list& arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return opened(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return opened(path, flags | O_LARGEFILE, mode);
}

int close(int descriptor) {
  const bool here = counted(descriptor);
  // As Linux does it: the descriptor is closed whatever is told.
  const Fault what = here ? fault("close", File(descriptor)) : Fault::none;
  note(descriptor, Open::not_here);
  const int code = errno;
  const int result = static_cast<int>(::syscall(SYS_close, descriptor));
  if (what == Fault::kill_after) {
    ::raise(SIGKILL);
  }
  if (what == Fault::error) {
    errno = code;
    return -1;
  }
  return result;
}

ssize_t read(int descriptor, void* data, size_t count) {
  return made<ssize_t>("read", counted(descriptor), File(descriptor), -1, [&](bool half) {
    return ::syscall(SYS_read, descriptor, data, half && count > 1 ? count / 2 : count);
  });
}

ssize_t pread(int descriptor, void* data, size_t count, off_t at) {
  return made<ssize_t>("pread", counted(descriptor), File(descriptor), -1, [&](bool half) {
    return ::syscall(SYS_pread64, descriptor, data, half && count > 1 ? count / 2 : count, at);
  });
}

ssize_t pread64(int descriptor, void* data, size_t count, off64_t at) {
  return pread(descriptor, data, count, at);
}

ssize_t write(int descriptor, const void* data, size_t count) {
  return made<ssize_t>("write", counted(descriptor), File(descriptor), -1, [&](bool half) {
    return ::syscall(SYS_write, descriptor, data, half && count > 1 ? count / 2 : count);
  });
}

ssize_t pwrite(int descriptor, const void* data, size_t count, off_t at) {
  return made<ssize_t>("pwrite", counted(descriptor), File(descriptor), -1, [&](bool half) {
    return ::syscall(SYS_pwrite64, descriptor, data, half && count > 1 ? count / 2 : count, at);
  });
}

ssize_t pwrite64(int descriptor, const void* data, size_t count, off64_t at) {
  return pwrite(descriptor, data, count, at);
}

int fsync(int descriptor) {
  struct stat facts {};
  if (counted(descriptor) &&
      (plan().lacks == "flush" || (plan().lacks == "folder-flush" &&
                                   ::fstat(descriptor, &facts) == 0 && S_ISDIR(facts.st_mode)))) {
    errno = EINVAL;
    return -1;
  }
  return made<int>("fsync", counted(descriptor), File(descriptor), -1, [](bool) { return 0; });
}

void sync() {}

int fcntl(int descriptor, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* argument = va_arg(arguments, void*);  // a number or a pointer, as the system takes it
  va_end(arguments);
  const bool lock = command == F_SETLK || command == F_OFD_SETLK || command == F_OFD_GETLK;
  if (lock && counted(descriptor) && plan().lacks == "locks") {
    errno = ENOLCK;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fcntl, descriptor, command, argument));
}

int fcntl64(int descriptor, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  return fcntl(descriptor, command, argument);
}

int flock(int descriptor, int operation) {
  if (counted(descriptor) && plan().lacks == "locks") {
    errno = ENOLCK;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_flock, descriptor, operation));
}

int ftruncate(int descriptor, off_t size) {
  return made<int>("ftruncate", counted(descriptor), File(descriptor), -1, [&](bool) {
    return static_cast<int>(::syscall(SYS_ftruncate, descriptor, size));
  });
}

int ftruncate64(int descriptor, off64_t size) { return ftruncate(descriptor, size); }

int rename(const char* from, const char* to) {
  return made<int>("rename", below(to), File(to), -1, [&](bool) {
    return static_cast<int>(::syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to));
  });
}

int link(const char* from, const char* to) {
  return made<int>("link", below(to), File(to), -1, [&](bool) {
    return static_cast<int>(::syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
  });
}

int unlink(const char* path) {
  return made<int>("unlink", below(path), File(path), -1, [&](bool) {
    return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
  });
}

int mkdir(const char* path, mode_t mode) {
  return made<int>("mkdir", below(path), File(path), -1, [&](bool) {
    return static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
  });
}

void* mmap(void* address, size_t length, int protection, int flags, int descriptor, off_t at) {
  return made<void*>("mmap", counted(descriptor), File(descriptor), MAP_FAILED, [&](bool) {
    return reinterpret_cast<void*>(
        ::syscall(SYS_mmap, address, length, protection, flags, descriptor, at));
  });
}

void* mmap64(void* address, size_t length, int protection, int flags, int descriptor, off64_t at) {
  return mmap(address, length, protection, flags, descriptor, at);
}

}  // extern "C"
