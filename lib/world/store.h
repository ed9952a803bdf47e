#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "world/place.h"

namespace gcg {

// What the ranks of a run tell one another through c10d's store: who has come, who lives, why one
// ended. Keys are "WORD/RANK". Calls throw what LibTorch throws where the store's host is gone, and
// wait for ever where it is frozen.

using Store = c10::intrusive_ptr<c10d::TCPStore>;

/// Seconds between two signs of life that a rank gives while it does something else.
inline constexpr double kPulseSeconds = 1;

/// Name of threads that serve the exchange between ranks.
inline constexpr std::string_view kServing = "gcg-exchange";

/// Seconds in which a rank that still lives is told of an end and tells its own.
inline constexpr double kWordSeconds = 3;

/// The store at a host and port, by a connection of its own; `hosts`: this process is that host.
Store open_store(const std::string& address, std::uint16_t port, bool hosts, double patience);

std::string key(std::string_view word, std::int64_t rank);
void set(c10d::TCPStore& store, std::string_view word, std::int64_t rank, std::string_view text);
/// Waits until there is one.
std::string get(c10d::TCPStore& store, std::string_view word, std::int64_t rank);
bool has(c10d::TCPStore& store, std::string_view word, std::int64_t rank);
/// The ranks without such a key after so many seconds.
std::vector<std::int64_t> missing(c10d::TCPStore& store, std::int64_t size, std::string_view word,
                                  double seconds);

/// What f() gives; nothing if that takes longer than so many seconds. f goes on alone then, so it
/// owns all that it touches.
template <typename F>
std::optional<std::invoke_result_t<F>> within(double seconds, F f) {
  std::packaged_task<std::invoke_result_t<F>()> task(std::move(f));
  auto result = task.get_future();
  std::thread(std::move(task)).detach();
  if (result.wait_for(std::chrono::duration<double>(seconds)) != std::future_status::ready) {
    return std::nullopt;
  }
  return result.get();
}

/// Gives signs of life from a thread of its own, by a connection of its own, since a call that
/// waits holds the other one, and hears whether a rank has ended. Nobody waits for that thread,
/// which may itself wait for ever. The process lives while it waits for other ranks, or its threads
/// of a name use the processor or wait for a disk: where those hang, in a lock or in a call that
/// does not return, it gives no sign, whatever the threads that serve them do.
class Heart {
 public:
  /// `of`: name of the threads that work.
  Heart(const RankPlace& place, double patience, const std::string& of);
  ~Heart();
  Heart(const Heart&) = delete;
  Heart& operator=(const Heart&) = delete;

  /// A function, for any thread, that says whether a rank has told its end.
  [[nodiscard]] std::function<bool()> ended() const {
    return [state = state_] { return state->ended.load(); };
  }

  /// f(), in which this process waits for others.
  template <typename F>
  decltype(auto) waiting(F f) {
    const struct Waits {
      explicit Waits(std::atomic<int>& count) : count_(count) { ++count_; }
      ~Waits() { --count_; }
      Waits(const Waits&) = delete;
      Waits& operator=(const Waits&) = delete;
      std::atomic<int>& count_;
    } waits(state_->waiting);
    return f();
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable end;
    bool stopped = false;
    std::atomic<bool> ended = false;
    std::atomic<int> waiting = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// Which ranks live, by their signs of life.
class Pulse {
 public:
  Pulse(Store store, std::int64_t ranks);
  /// Those without a sign for so many seconds of looking; those in which this process itself was
  /// stopped are none.
  std::vector<std::int64_t> silent(double seconds);

 private:
  Store store_;
  std::vector<std::int64_t> beats_;
  std::vector<double> still_;
  double looked_;
};

/// What the others left behind, as one of them sees it whose call to them failed.
struct LastWords {
  std::optional<std::pair<std::int64_t, std::string>> end;  ///< a rank that ended, and why
  std::vector<std::int64_t> silent;                         ///< ranks that say nothing at all
};

/// Tells that `rank` lost the others, and looks for why, for kWordSeconds.
LastWords last_words(c10d::TCPStore& store, std::int64_t rank, std::int64_t size);

/// Tells that `rank` ends, and why; `hosts`: and waits up to kWordSeconds until the others have
/// found that, since the store ends with it.
void tell_end(c10d::TCPStore& store, std::int64_t rank, std::int64_t size, std::string_view why,
              bool hosts);

}  // namespace gcg
