#include "base/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/file.h"
#include "base/system_call.h"
#include "base/thread_name.h"

namespace gcg {

namespace fs = std::filesystem;

namespace {

constexpr const char* kLockFileName = ".lock";

/// The whole lock file. Locks of open file descriptions end with the process, and can be asked
/// about without being taken.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

/// File systems without locks say so in different words.
bool says_no_locks(int code) {
  return code == ENOLCK || code == ENOSYS || code == EOPNOTSUPP || code == EINVAL;
}

std::string words_for(const Owner& owner) {
  return fmt::format("process {} on {}{}", owner.process, owner.host,
                     owner.job.empty() ? "" : ", job " + owner.job);
}

BusyError busy(const fs::path& folder) {
  const std::optional<Owner> owner = lease_owner(folder, this_process(), file_system_clock());
  return {folder.string(),
          fmt::format("another process is working in this folder{}",
                      owner ? ": " + words_for(*owner) : ""),
          "wait for it to end, or choose another folder"};
}

}  // namespace

struct FolderLock::Held {
  int descriptor = -1;
  Lease lease;
  std::mutex mutex;
  std::condition_variable_any wake;
  std::jthread beats;

  ~Held() {
    beats = {};
    give_back(lease);
    ::close(descriptor);
  }
};

FolderLock::FolderLock(const fs::path& folder, std::function<void()> lost) {
  const fs::path path = folder / kLockFileName;
  const int descriptor =
      retried([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666); });
  if (descriptor < 0) {
    throw_file_error(path, "create", errno);
  }
  try {
    struct flock lock = whole_file();
    if (::fcntl(descriptor, F_OFD_SETLK, &lock) != 0) {
      const int code = errno;
      if (code == EAGAIN || code == EACCES) {
        throw busy(folder);
      }
      if (!says_no_locks(code)) {
        throw_file_error(path, "lock", code);
      }
    }
    const std::optional<Lease> lease = take_lease(folder, this_process(), file_system_clock());
    if (!lease) {
      throw busy(folder);
    }
    held_ = std::make_unique<Held>();
    held_->lease = *lease;
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  held_->descriptor = descriptor;
  held_->beats =
      std::jthread([held = held_.get(), lost = std::move(lost)](const std::stop_token& stop) {
        const ThreadName name("gcg-lease");
        std::unique_lock guard(held->mutex);
        while (!held->wake.wait_for(guard, stop, std::chrono::duration<double>(kBeatSeconds),
                                    [&] { return stop.stop_requested(); })) {
          if (stop.stop_requested()) {
            return;
          }
          if (!renew(held->lease, file_system_clock())) {
            if (lost) {
              lost();
            }
            return;
          }
        }
      });
}

FolderLock::~FolderLock() = default;

void FolderLock::give_back_lease() const { give_back(held_->lease); }

std::optional<Owner> lock_owner(const fs::path& folder) {
  const fs::path path = folder / kLockFileName;
  const int descriptor = retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  if (descriptor < 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return std::nullopt;
    }
    throw_file_error(path, "open", errno);
  }
  struct flock lock = whole_file();
  const int asked = ::fcntl(descriptor, F_OFD_GETLK, &lock);
  const int code = errno;
  ::close(descriptor);
  if (asked != 0 && !says_no_locks(code)) {
    throw_file_error(path, "ask for the lock of", code);
  }
  const bool locked = asked == 0 && lock.l_type != F_UNLCK;
  std::optional<Owner> owner = lease_owner(folder, this_process(), file_system_clock());
  if (locked && !owner) {
    owner = Owner{};  // on its way to its lease
  }
  return owner;
}

bool locks_work(const fs::path& folder) {
  const fs::path path = folder / fmt::format(".lock-probe.{}", own_mark());
  const int descriptor =
      retried([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666); });
  if (descriptor < 0) {
    throw_file_error(path, "create", errno);
  }
  struct flock lock = whole_file();
  bool works = ::fcntl(descriptor, F_OFD_SETLK, &lock) == 0;
  if (works) {
    const pid_t child = ::fork();
    if (child == 0) {
      // Only calls that are safe after a fork beside threads.
      const int second = retried([&] { return ::open(path.c_str(), O_RDWR | O_CLOEXEC); });
      struct flock again = whole_file();
      ::_exit(second >= 0 && ::fcntl(second, F_OFD_SETLK, &again) != 0 &&
                      (errno == EAGAIN || errno == EACCES)
                  ? 0
                  : 1);
    }
    int status = 1;
    works = child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
  }
  ::close(descriptor);
  ::unlink(path.c_str());
  return works;
}

}  // namespace gcg
