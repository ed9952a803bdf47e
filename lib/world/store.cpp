#include "world/store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "base/index.h"
#include "base/progress.h"
#include "base/thread_name.h"

namespace gcg {

namespace {

/// Newer versions prefer a library that a build need not have.
template <typename Options>
void without_libuv(Options& options) {
  if constexpr (requires { options.useLibUV; }) {
    options.useLibUV = false;
  }
}

/// Whether this process does anything.
class Work {
 public:
  /// By the threads of a name; others serve them, such as the store's, and say nothing of the work.
  explicit Work(std::string name) : name_(std::move(name)) {}

  /// Whether they have used the processor since this was asked last, or one waits for a disk (a
  /// network file system among them).
  bool seen() {
    std::int64_t ticks = 0;
    bool disk = false;
    std::error_code none;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", none)) {
      std::string text;
      std::getline(std::ifstream(task.path() / "stat"), text);
      const std::size_t name = text.find('(');  // "7 (name) S" and numbers
      const std::size_t name_ends = text.rfind(") ");
      if (name_ends == std::string::npos || text.substr(name + 1, name_ends - name - 1) != name_) {
        continue;
      }
      std::istringstream rest(text.substr(name_ends + 2));
      std::string word;
      rest >> word;
      disk = disk || word == "D";
      std::int64_t user = 0;
      std::int64_t system = 0;
      for (int skipped = 0; skipped < 10; ++skipped) {
        rest >> word;
      }
      rest >> user >> system;
      ticks += user + system;
    }
    const bool worked = ticks != ticks_;
    ticks_ = ticks;
    return worked || disk;
  }

 private:
  std::string name_;
  std::int64_t ticks_ = 0;
};

}  // namespace

Store open_store(const std::string& address, std::uint16_t port, bool hosts, double patience) {
  c10d::TCPStoreOptions options;
  options.port = port;
  options.isServer = hosts;
  options.waitWorkers = false;
  options.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(1000 * patience));
  without_libuv(options);
  return c10::make_intrusive<c10d::TCPStore>(address, options);
}

std::string key(std::string_view word, std::int64_t rank) {
  return fmt::format("{}/{}", word, rank);
}

void set(c10d::TCPStore& store, std::string_view word, std::int64_t rank, std::string_view text) {
  store.set(key(word, rank), std::vector<std::uint8_t>(text.begin(), text.end()));
}

std::string get(c10d::TCPStore& store, std::string_view word, std::int64_t rank) {
  const std::vector<std::uint8_t> text = store.get(key(word, rank));
  return {text.begin(), text.end()};
}

bool has(c10d::TCPStore& store, std::string_view word, std::int64_t rank) {
  return store.check({key(word, rank)});
}

std::vector<std::int64_t> missing(c10d::TCPStore& store, std::int64_t size, std::string_view word,
                                  double seconds) {
  const double limit = now_seconds() + seconds;
  std::vector<std::int64_t> ranks;
  for (std::int64_t r = 0; r < size; ++r) {
    ranks.push_back(r);
  }
  for (;;) {
    std::erase_if(ranks, [&](std::int64_t r) { return has(store, word, r); });
    if (ranks.empty() || now_seconds() > limit) {
      return ranks;
    }
    ::usleep(10000);
  }
}

Heart::Heart(const RankPlace& place, double patience, const std::string& of) {
  std::thread([state = state_, place, patience, work = Work(of)]() mutable {
    const ThreadName name(kServing);
    Store store;
    std::unique_lock lock(state->mutex);
    while (!state->stopped) {
      lock.unlock();
      try {
        if (!store) {
          store = open_store(place.address, place.port, false, patience);
        }
        if (work.seen() || state->waiting > 0) {
          store->add(key("beat", place.rank), 1);
        }
        state->ended = store->add("ended", 0) > 0;
      } catch (const std::exception&) {
        // A host that did not answer in time is given up by everybody, which the next call to it
        // tells. No second connection: where a frozen host has not taken it and is killed, a thread
        // of LibTorch 1.13 ends this process.
        if (store) {
          return;
        }
      }
      lock.lock();
      state->end.wait_for(lock, std::chrono::duration<double>(kPulseSeconds),
                          [&] { return state->stopped; });
    }
  }).detach();
}

Heart::~Heart() {
  const std::lock_guard guard(state_->mutex);
  state_->stopped = true;
  state_->end.notify_all();
}

Pulse::Pulse(Store store, std::int64_t ranks)
    : store_(std::move(store)),
      beats_(at(ranks), -1),
      still_(at(ranks), 0),
      looked_(now_seconds()) {}

std::vector<std::int64_t> Pulse::silent(double seconds) {
  const double now = now_seconds();
  const double passed = std::min(now - looked_, 2 * kPulseSeconds);
  looked_ = now;
  std::vector<std::int64_t> found;
  for (std::size_t r = 0; r < beats_.size(); ++r) {
    const std::int64_t beats = store_->add(key("beat", static_cast<std::int64_t>(r)), 0);
    still_[r] = beats != beats_[r] ? 0 : still_[r] + passed;
    beats_[r] = beats;
    if (still_[r] > seconds) {
      found.push_back(static_cast<std::int64_t>(r));
    }
  }
  return found;
}

LastWords last_words(c10d::TCPStore& store, std::int64_t rank, std::int64_t size) {
  set(store, "lost", rank, "");
  const double limit = now_seconds() + kWordSeconds;
  do {
    for (std::int64_t r = 0; r < size; ++r) {
      // Not one that itself ends because of another.
      if (r != rank && has(store, "end", r) && !has(store, "lost", r)) {
        return {std::pair(r, get(store, "end", r)), {}};
      }
    }
    ::usleep(20000);
  } while (now_seconds() < limit);
  return {std::nullopt, missing(store, size, "lost", 0)};
}

void tell_end(c10d::TCPStore& store, std::int64_t rank, std::int64_t size, std::string_view why,
              bool hosts) {
  set(store, "end", rank, why);
  store.add("ended", 1);
  const double limit = now_seconds() + kWordSeconds;
  for (std::int64_t r = 0; hosts && r < size; ++r) {
    while (!has(store, "end", r) && !has(store, "lost", r) && now_seconds() < limit) {
      ::usleep(5000);
    }
  }
}

}  // namespace gcg
