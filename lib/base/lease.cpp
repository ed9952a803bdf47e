#include "base/lease.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string_view>

#include "base/file.h"
#include "base/system_call.h"

namespace gcg {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = ".lease.";

std::string first_word(const char* path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

/// When a process began; nothing if there is none, or what is left of one that nobody asked about.
std::optional<std::int64_t> start_of(std::int64_t process) {
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string text;
  std::getline(file, text);
  // "12 (name, which may hold anything) S ...": the state is the third field, the start the 22nd.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) {
    return std::nullopt;
  }
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  fields >> field;
  if (field == "Z" || field == "X") {
    return std::nullopt;
  }
  for (int i = 4; i <= 22; ++i) {
    fields >> field;
  }
  return std::strtoll(field.c_str(), nullptr, 10);
}

std::string job_of_this() {
  const char* array = std::getenv("SLURM_ARRAY_JOB_ID");
  const char* task = std::getenv("SLURM_ARRAY_TASK_ID");
  if (array != nullptr && task != nullptr) {
    return fmt::format("{}_{}", array, task);
  }
  const char* job = std::getenv("SLURM_JOB_ID");
  return job != nullptr ? job : "";
}

/// The same for all processes that can look each other up by number; of this process alone where
/// the system does not tell.
std::string system_of_this() {
  std::error_code code;
  const fs::path space = fs::read_symlink("/proc/self/ns/pid", code);
  const std::string boot = first_word("/proc/sys/kernel/random/boot_id");
  return boot.empty() || space.empty() ? own_mark() : boot + "/" + space.string();
}

std::string text_of(const Owner& owner) {
  return fmt::format("host {}\nsystem {}\nprocess {} {}\njob {}\n", owner.host, owner.system,
                     owner.process, owner.started, owner.job.empty() ? "-" : owner.job);
}

struct Found {
  Lease lease;
  std::string text;
  double time = 0;  ///< of its last sign of life, seconds
};

/// As one look sees the file; nothing if it is gone.
std::optional<Found> read_lease(const Lease& lease) {
  const int file = retried([&] { return ::open(lease.file.c_str(), O_RDONLY | O_CLOEXEC); });
  if (file < 0) {
    return std::nullopt;
  }
  struct stat facts {};
  char text[1024];
  ssize_t size = 0;
  for (ssize_t count = 1; count > 0;) {
    count = retried([&] { return ::read(file, text + size, sizeof(text) - size); });
    size = count < 0 ? count : size + count;
  }
  const bool good = ::fstat(file, &facts) == 0;
  const int code = errno;
  ::close(file);
  errno = code;
  if (!good || size < 0) {
    return std::nullopt;
  }
  return Found{lease, std::string(text, static_cast<std::size_t>(size)),
               static_cast<double>(facts.st_mtim.tv_sec) +
                   1e-9 * static_cast<double>(facts.st_mtim.tv_nsec)};
}

/// All leases in a folder, the newest last; `code` says whether the folder could be listed.
std::vector<Lease> leases_in(const fs::path& folder, std::error_code& code) {
  std::vector<Lease> leases;
  for (fs::directory_iterator at(folder, code), end; !code && at != end; at.increment(code)) {
    const std::string name = at->path().filename().string();
    Lease lease{at->path()};
    if (name.starts_with(kPrefix) &&
        std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), lease.number)
                .ptr == name.data() + name.size()) {
      leases.push_back(std::move(lease));
    }
  }
  std::ranges::sort(leases, {}, &Lease::number);
  return leases;
}

/// The newest lease of a folder. One that is given back between the look at the names and that at
/// the file is looked for again, for as long as a network file system may still show its name; one
/// that cannot be read would be for ever.
std::optional<Found> newest(const fs::path& folder) {
  constexpr int kMostLooks = 900;
  constexpr useconds_t kPause = 100'000;
  for (int look = 1;; ++look) {
    std::error_code code;
    const std::vector<Lease> leases = leases_in(folder, code);
    if (leases.empty()) {
      return std::nullopt;
    }
    if (std::optional<Found> found = read_lease(leases.back())) {
      return found;
    }
    const int reason = errno;
    const bool gone = reason == ENOENT || reason == ESTALE;
    if (!gone || look == kMostLooks || fs::is_symlink(leases.back().file, code)) {
      throw_file_error(leases.back().file, "read", reason);
    }
    if (look > 1) {
      ::usleep(kPause);
    }
  }
}

bool is_own(const Lease& lease) {
  const std::optional<Found> found = read_lease(lease);
  return found && found->text == lease.text;
}

Owner owner_in(const std::string& text) {
  Owner owner{};
  std::istringstream lines(text);
  for (std::string word; lines >> word;) {
    if (word == "host") {
      lines >> owner.host;
    } else if (word == "system") {
      lines >> owner.system;
    } else if (word == "process") {
      lines >> owner.process >> owner.started;
    } else if (word == "job") {
      lines >> owner.job;
    }
  }
  if (owner.job == "-") {
    owner.job.clear();
  }
  return owner;
}

bool lives(const Found& found, const Owner& asker, const LeaseClock& clock) {
  const Owner owner = owner_in(found.text);
  if (owner.system == asker.system) {
    return start_of(owner.process) == owner.started;
  }
  return clock.now(found.lease.file.parent_path()) - found.time < kLeaseSeconds;
}

double time_of(const fs::path& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    return static_cast<double>(std::time(nullptr));
  }
  return static_cast<double>(facts.st_mtim.tv_sec) +
         1e-9 * static_cast<double>(facts.st_mtim.tv_nsec);
}

/// Writes and flushes the text; false, with errno, if the system does not take all of it.
bool write_whole(int file, const fs::path& path, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = retried([&] { return ::write(file, text.data(), text.size()); });
    if (count <= 0) {
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return flush_to_disk(file, path);
}

void rewrite_first_byte(const fs::path& path) {
  // A write, not a call that sets the time: the server's clock counts, not this host's.
  const int file = retried([&] { return ::open(path.c_str(), O_RDWR | O_CLOEXEC); });
  char byte = 0;
  if (file >= 0) {
    if (retried([&] { return ::pread(file, &byte, 1, 0); }) == 1 &&
        retried([&] { return ::pwrite(file, &byte, 1, 0); }) == 1) {
      (void)flush_to_disk(file, path);
    }
    ::close(file);
  }
}

/// Creates a new file and writes its text; false if there is one of this name. Errors: the rest.
bool create(const fs::path& path, std::string_view text) {
  const int file =
      retried([&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
  if (file < 0) {
    if (errno == EEXIST) {
      return false;
    }
    throw_file_error(path, "create", errno);
  }
  const bool written = write_whole(file, path, text);
  const int code = errno;
  ::close(file);
  if (!written) {
    ::unlink(path.c_str());
    throw_file_error(path, "write", code);
  }
  return true;
}

/// The same at once, by a link to a file that is written already: a process that is killed
/// meanwhile leaves no lease without an owner. Where there are no links the file itself is created.
bool create_whole(const fs::path& path, std::string_view text) {
  const fs::path temporary = fmt::format("{}.{}.{}.tmp", path.string(), own_mark(), ::gettid());
  ::unlink(temporary.c_str());  // of an earlier process of this number
  create(temporary, text);
  const bool linked = retried([&] { return ::link(temporary.c_str(), path.c_str()); }) == 0;
  const int code = errno;
  struct stat facts {};
  // An answer that was lost on its way from a server comes again as "exists".
  const bool done = linked || (::stat(temporary.c_str(), &facts) == 0 && facts.st_nlink == 2);
  ::unlink(temporary.c_str());
  // Gone: taken for what a killed process left, by one that has the lease now.
  if (done || code == EEXIST || code == ENOENT) {
    return done;
  }
  if (code == EPERM || code == ENOTSUP || code == ENOSYS || code == EMLINK) {
    return create(path, text);
  }
  throw_file_error(path, "create", code);
}

double time_of_a_new_file(const fs::path& folder) {
  const fs::path probe = folder / fmt::format(".clock.{}", own_mark());
  const int file = retried(
      [&] { return ::open(probe.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666); });
  if (file < 0) {
    return static_cast<double>(std::time(nullptr));  // may be read, not written
  }
  const bool written = write_whole(file, probe, "x");
  ::close(file);
  const double now = written ? time_of(probe) : static_cast<double>(std::time(nullptr));
  ::unlink(probe.c_str());
  return now;
}

}  // namespace

Owner this_process() {
  char name[256] = "";
  ::gethostname(name, sizeof(name) - 1);
  return {name, system_of_this(), ::getpid(), start_of(::getpid()).value_or(0), job_of_this()};
}

const LeaseClock& file_system_clock() {
  static const LeaseClock clock{time_of_a_new_file, rewrite_first_byte};
  return clock;
}

std::optional<Lease> take_lease(const fs::path& folder, const Owner& owner,
                                const LeaseClock& clock) {
  const std::optional<Found> before = newest(folder);
  if (before && lives(*before, owner, clock)) {
    return std::nullopt;
  }
  Lease own;
  own.number = before ? before->lease.number + 1 : 1;
  own.file = folder / fmt::format("{}{}", kPrefix, own.number);
  own.text = text_of(owner);
  if (!create_whole(own.file, own.text)) {
    return std::nullopt;
  }
  clock.beat(own.file);
  // What was followed must still be there as it was: else a whole life of another lease lay between
  // the look and now, and this number may no longer be the last.
  std::error_code listing;
  const std::vector<Lease> all = leases_in(folder, listing);
  bool last = !all.empty() && all.back().number == own.number;
  if (before) {
    const std::optional<Found> still = read_lease(before->lease);
    last = last && still && still->text == before->text && still->time == before->time;
  }
  if (!last) {
    ::unlink(own.file.c_str());
    return std::nullopt;
  }
  for (const Lease& lease : all) {
    if (lease.number < own.number) {
      ::unlink(lease.file.c_str());
    }
  }
  return own;
}

bool renew(const Lease& lease, const LeaseClock& clock) {
  std::error_code code;
  const std::vector<Lease> all = leases_in(lease.file.parent_path(), code);
  if (code && code != std::errc::no_such_file_or_directory) {
    return true;  // cannot be told now: the next sign of life tells
  }
  if (all.empty() || all.back().number != lease.number) {
    return false;
  }
  const std::optional<Found> found = read_lease(lease);
  if (!found) {
    return errno != ENOENT && errno != ESTALE;
  }
  if (found->text != lease.text) {
    return false;
  }
  clock.beat(lease.file);
  return true;
}

void give_back(const Lease& lease) {
  if (is_own(lease)) {
    ::unlink(lease.file.c_str());
  }
}

std::optional<Owner> lease_owner(const fs::path& folder, const Owner& asker,
                                 const LeaseClock& clock) {
  const std::optional<Found> found = newest(folder);
  if (!found || !lives(*found, asker, clock)) {
    return std::nullopt;
  }
  return owner_in(found->text);
}

}  // namespace gcg
