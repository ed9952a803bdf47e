#include "world/shared_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstring>
#include <ctime>
#include <optional>
#include <stdexcept>
#include <thread>

#include "base/error.h"
#include "base/index.h"
#include "base/progress.h"

namespace gcg {

namespace {

/// Bytes of a message that are exchanged at once.
constexpr std::size_t kPiece = std::size_t{256} * 1024;

/// Seconds for which a rank looks again and again, ready at once, before it sleeps: ranks that
/// compute the same seldom differ by more.
constexpr double kAwake = 2e-4;
constexpr double kSleep = 0.05;

struct Layout {
  std::uint64_t mark;                   ///< of this part alone: a number of random bits
  std::atomic<std::uint32_t> shown;     ///< rounds that its rank has shown
  std::atomic<std::uint32_t> sleeping;  ///< ranks that wait for the next one asleep
  /// Round n is in piece n % 2: it may be written while a slower rank still reads round n - 1, and
  /// nobody is more than one round ahead.
  alignas(64) std::byte pieces[2][kPiece];
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

/// Sleeps until `word` is woken, is no longer `value`, or kSleep is over. Between processes, so not
/// std::atomic::wait.
void sleep_at(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  timespec limit{};
  limit.tv_nsec = static_cast<long>(1e9 * kSleep);
  ::syscall(SYS_futex, &word, FUTEX_WAIT, value, &limit, nullptr, 0);
}

void wake_all(std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT32_MAX, nullptr, nullptr, 0);
}

/// Three numbers of "PROCESS DESCRIPTOR MARK".
std::optional<std::array<std::uint64_t, 3>> numbers_of(const std::string& address) {
  std::array<std::uint64_t, 3> numbers{};
  const char* at = address.data();
  const char* const end = at + address.size();
  for (std::uint64_t& number : numbers) {
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc()) {
      return std::nullopt;
    }
    at = stop == end ? end : stop + 1;
  }
  return numbers;
}

}  // namespace

/// The part of a rank: an anonymous file in memory. Its rank holds a lock on it, which ends with
/// the process: whoever can take the lock knows that the rank is gone.
class SharedMemory::Part {
 public:
  Part() : file_(::memfd_create("gcg-rank", MFD_CLOEXEC)) {
    if (file_ < 0 || ::posix_fallocate(file_, 0, sizeof(Layout)) != 0 ||
        ::flock(file_, LOCK_EX | LOCK_NB) != 0 || !map()) {
      close();
      throw Error("memory that processes share", "the system gives none");
    }
    ::getrandom(&layout_->mark, sizeof layout_->mark, 0);
  }
  /// Of another rank.
  explicit Part(const std::string& address) {
    const auto numbers = numbers_of(address);
    if (!numbers) {
      return;
    }
    const auto [process, descriptor, mark] = *numbers;
    const std::string path = fmt::format("/proc/{}/fd/{}", process, descriptor);
    // On another host the path is another file or none; one that is no such memory is not opened,
    // since that may have effects.
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode) ||
        facts.st_size != static_cast<off_t>(sizeof(Layout))) {
      return;
    }
    file_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (file_ >= 0 && !(map() && layout_->mark == mark)) {
      close();
    }
  }
  ~Part() { close(); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  [[nodiscard]] bool is_open() const { return layout_ != nullptr; }
  [[nodiscard]] Layout& layout() const { return *layout_; }
  [[nodiscard]] std::string address() const {
    return fmt::format("{} {} {}", ::getpid(), file_, layout_->mark);
  }
  /// Of another rank: it is there no more.
  [[nodiscard]] bool is_left() const { return ::flock(file_, LOCK_SH | LOCK_NB) == 0; }

 private:
  bool map() {
    void* const memory =
        ::mmap(nullptr, sizeof(Layout), PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    layout_ = memory == MAP_FAILED ? nullptr : static_cast<Layout*>(memory);
    return layout_ != nullptr;
  }
  void close() {
    if (layout_ != nullptr) {
      ::munmap(layout_, sizeof(Layout));
      layout_ = nullptr;
    }
    if (file_ >= 0) {
      ::close(file_);
      file_ = -1;
    }
  }

  int file_ = -1;
  Layout* layout_ = nullptr;
};

SharedMemory::SharedMemory(std::int64_t rank, std::int64_t ranks, double patience)
    : rank_(at(rank)), patience_(patience), parts_(at(ranks)) {
  parts_[rank_] = std::make_unique<Part>();
}

SharedMemory::~SharedMemory() = default;

std::string SharedMemory::address() const { return parts_[rank_]->address(); }

bool SharedMemory::open(std::span<const std::string> addresses) {
  for (std::size_t r = 0; r < parts_.size(); ++r) {
    if (r != rank_) {
      parts_[r] = std::make_unique<Part>(addresses[r]);
      if (!parts_[r]->is_open()) {
        return false;
      }
    }
  }
  return true;
}

void SharedMemory::wait_for(std::size_t rank) {
  Layout& other = parts_[rank]->layout();
  const std::uint32_t before = met_ - 1;
  const auto shows = [&] { return other.shown.load(std::memory_order_acquire) != before; };
  double looked = now_seconds();
  double waited = 0;  // without the time in which this process itself was stopped
  while (!shows()) {
    const double now = now_seconds();
    waited += std::min(now - looked, 2 * kSleep);
    looked = now;
    if (waited < kAwake) {
      std::this_thread::yield();
      continue;
    }
    other.sleeping.fetch_add(1);
    if (!shows()) {
      sleep_at(other.shown, before);
    }
    other.sleeping.fetch_sub(1);
    if (shows()) {
      return;
    }
    if (parts_[rank]->is_left()) {
      throw std::runtime_error(fmt::format("rank {} has let go", rank));
    }
    if (waited > patience_) {
      throw std::runtime_error(fmt::format("rank {} is silent", rank));
    }
  }
}

void SharedMemory::meet() {
  ++met_;
  Layout& own = parts_[rank_]->layout();
  own.shown.store(met_);
  if (own.sleeping.load() > 0) {
    wake_all(own.shown);
  }
  for (std::size_t r = 0; r < parts_.size(); ++r) {
    if (r != rank_) {
      wait_for(r);
    }
  }
}

void SharedMemory::gather(std::span<const std::byte> own, std::span<std::byte> all) {
  for (std::size_t begin = 0; begin < own.size(); begin += kPiece) {
    const std::size_t count = std::min(kPiece, own.size() - begin);
    const std::uint32_t piece = (met_ + 1) % 2;
    std::memcpy(parts_[rank_]->layout().pieces[piece], own.data() + begin, count);
    meet();
    for (std::size_t r = 0; r < parts_.size(); ++r) {
      std::memcpy(all.data() + r * own.size() + begin, parts_[r]->layout().pieces[piece], count);
    }
  }
}

void SharedMemory::exchange(std::span<const std::byte> from, std::span<std::byte> to) {
  const std::size_t ranks = parts_.size();
  const std::size_t part = from.size() / ranks;
  const std::size_t room = kPiece / ranks;
  for (std::size_t begin = 0; begin < part; begin += room) {
    const std::size_t count = std::min(room, part - begin);
    const std::uint32_t piece = (met_ + 1) % 2;
    for (std::size_t r = 0; r < ranks; ++r) {
      std::memcpy(parts_[rank_]->layout().pieces[piece] + r * room, from.data() + r * part + begin,
                  count);
    }
    meet();
    for (std::size_t r = 0; r < ranks; ++r) {
      std::memcpy(to.data() + r * part + begin, parts_[r]->layout().pieces[piece] + rank_ * room,
                  count);
    }
  }
}

}  // namespace gcg
