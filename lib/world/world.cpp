#include "world/world.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/index.h"
#include "base/progress.h"
#include "world/shared_memory.h"

namespace gcg {

namespace {

using std::chrono::milliseconds;

/// Seconds between two signs of life that a rank gives while it does something else.
constexpr double kBeatSeconds = 1;

/// Seconds in which a rank that still lives is told of an end and tells its own.
constexpr double kWordSeconds = 3;

/// Values up to which all of them go to every rank at once: one exchange instead of two.
constexpr std::int64_t kFewValues = 16384;

milliseconds in_milliseconds(double seconds) {
  return milliseconds(static_cast<std::int64_t>(1000 * seconds));
}

/// Newer versions prefer a library that a build need not have.
template <typename Options>
void without_libuv(Options& options) {
  if constexpr (requires { options.useLibUV; }) {
    options.useLibUV = false;
  }
}

c10::intrusive_ptr<c10d::TCPStore> open_store(const std::string& address, std::uint16_t port,
                                              bool hosts, double patience) {
  c10d::TCPStoreOptions options;
  options.port = port;
  options.isServer = hosts;
  options.waitWorkers = false;
  options.timeout = in_milliseconds(patience);
  without_libuv(options);
  return c10::make_intrusive<c10d::TCPStore>(address, options);
}

std::shared_ptr<gloo::transport::Device> network_device(const std::string& address) {
  if (const char* const interface = std::getenv("GLOO_SOCKET_IFNAME")) {
    return c10d::ProcessGroupGloo::createDeviceForInterface(interface);
  }
  return address == "127.0.0.1" ? c10d::ProcessGroupGloo::createDeviceForHostname(address)
                                : c10d::ProcessGroupGloo::createDefaultDevice();
}

at::Tensor bytes_at(const std::byte* data, std::size_t count) {
  return at::from_blob(const_cast<std::byte*>(data), {static_cast<std::int64_t>(count)}, at::kByte);
}

class C10dWorld final : public World {
 public:
  C10dWorld(const RankPlace& place, double patience, Exchange exchange);
  ~C10dWorld() override { leave("an error that it had no word for"); }

  std::int64_t rank() const override { return rank_; }
  std::int64_t size() const override { return size_; }
  void gather(std::span<const std::byte> own, std::span<std::byte> all) override;
  void sum(std::span<float> values) override;
  void meet() override;
  void leave(std::string_view why) noexcept override;

 private:
  using Word = std::pair<std::int64_t, std::string>;

  [[nodiscard]] static std::string key(std::string_view what, std::int64_t rank) {
    return fmt::format("{}/{}", what, rank);
  }
  void set(std::string_view what, std::string_view text);
  [[nodiscard]] bool has(std::string_view what, std::int64_t rank);
  /// Ranks without such a key after a while.
  std::vector<std::int64_t> missing(std::string_view what, double seconds);
  void arrive();
  /// Gives signs of life from a thread of its own.
  void begin_to_beat(const RankPlace& place);
  void connect(const std::string& address);
  /// Memory between all ranks where they are on one host; else they go on through the network.
  void find_shared_memory();
  /// f(group); what it throws is told by explain().
  template <typename F>
  void call(F f);
  /// As SharedMemory::exchange.
  void exchange(std::span<const float> from, std::span<float> to);
  /// Why a call to the others failed. `silent`: ranks known to give no sign of life.
  [[noreturn]] void explain(const std::string& reason, std::vector<std::int64_t> silent = {});

  const std::int64_t rank_;
  const std::int64_t size_;
  const double patience_;
  const bool hosts_;
  c10::intrusive_ptr<c10d::TCPStore> store_;
  std::mutex leaving_;
  bool left_ = false;  ///< guarded by leaving_
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
  std::unique_ptr<SharedMemory> memory_;  ///< empty: through group_
  std::int64_t meetings_ = 0;
  std::vector<float> sent_;
  std::vector<float> received_;
  std::jthread beating_;  ///< last, so that it ends first
};

/// Which ranks live, by their signs of life.
class Pulse {
 public:
  Pulse(c10d::TCPStore& store, std::int64_t ranks)
      : store_(store), beats_(at(ranks), -1), since_(at(ranks), now_seconds()) {}

  /// Those without a sign for so many seconds of looking.
  std::vector<std::int64_t> silent(double seconds) {
    std::vector<std::int64_t> found;
    for (std::size_t r = 0; r < beats_.size(); ++r) {
      const std::int64_t beats = store_.add(fmt::format("beat/{}", r), 0);
      if (beats != beats_[r]) {
        beats_[r] = beats;
        since_[r] = now_seconds();
      } else if (now_seconds() - since_[r] > seconds) {
        found.push_back(static_cast<std::int64_t>(r));
      }
    }
    return found;
  }

 private:
  c10d::TCPStore& store_;
  std::vector<std::int64_t> beats_;
  std::vector<double> since_;
};

C10dWorld::C10dWorld(const RankPlace& place, double patience, Exchange exchange)
    : rank_(place.rank),
      size_(place.ranks),
      patience_(patience),
      hosts_(place.rank == 0 && !place.launcher_hosts) {
  try {
    store_ = open_store(place.address, place.port, hosts_, patience);
    arrive();
    begin_to_beat(place);
    connect(place.address);
    if (exchange == Exchange::nearest) {
      find_shared_memory();
    }
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(fmt::format("rank {} of {}", rank_, size_),
                fmt::format("cannot meet the others at {} port {}: {}", place.address, place.port,
                            std::string(error.what()).substr(0, 300)),
                "set MASTER_ADDR to the host of rank 0 and MASTER_PORT to a free port there");
  }
}

void C10dWorld::set(std::string_view what, std::string_view text) {
  store_->set(key(what, rank_), std::vector<std::uint8_t>(text.begin(), text.end()));
}

bool C10dWorld::has(std::string_view what, std::int64_t rank) {
  return store_->check({key(what, rank)});
}

std::vector<std::int64_t> C10dWorld::missing(std::string_view what, double seconds) {
  const double limit = now_seconds() + seconds;
  std::vector<std::int64_t> ranks;
  for (std::int64_t r = 0; r < size_; ++r) {
    ranks.push_back(r);
  }
  for (;;) {
    std::erase_if(ranks, [&](std::int64_t r) { return has(what, r); });
    if (ranks.empty() || now_seconds() > limit) {
      return ranks;
    }
    ::usleep(10000);
  }
}

void C10dWorld::arrive() {
  set("here", "");
  const std::vector<std::int64_t> absent = missing("here", patience_);
  if (!absent.empty()) {
    throw Error(fmt::format("rank {}", fmt::join(absent, ", ")),
                fmt::format("did not come within {} s", patience_),
                "see what it says itself; --rank-seconds gives it longer");
  }
}

void C10dWorld::begin_to_beat(const RankPlace& place) {
  // A connection of its own: a call that waits holds the other one.
  auto store = open_store(place.address, place.port, false, patience_);
  beating_ = std::jthread([store, own = key("beat", rank_)](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any end;
    std::unique_lock lock(mutex);
    try {
      do {
        store->add(own, 1);
      } while (!end.wait_for(lock, stop, std::chrono::duration<double>(kBeatSeconds),
                             [&] { return stop.stop_requested(); }));
    } catch (const std::exception&) {
      // The store went with its host, which the next call to the others tells.
    }
  });
}

void C10dWorld::connect(const std::string& address) {
  auto options = c10d::ProcessGroupGloo::Options::create(in_milliseconds(patience_));
  options->devices.push_back(network_device(address));
  options->threads = 1;  // calls follow one another
  group_ = c10::make_intrusive<c10d::ProcessGroupGloo>(store_, static_cast<int>(rank_),
                                                       static_cast<int>(size_), options);
}

void C10dWorld::find_shared_memory() {
  auto memory = std::make_unique<SharedMemory>(rank_, size_, patience_);
  set("memory", memory->address());
  std::vector<std::string> addresses;
  for (std::int64_t r = 0; r < size_; ++r) {
    const std::vector<std::uint8_t> text = store_->get(key("memory", r));
    addresses.emplace_back(text.begin(), text.end());
  }
  const std::uint8_t found = memory->open(addresses) ? 1 : 0;
  std::vector<std::uint8_t> all(at(size_));
  gcg::gather<std::uint8_t>(*this, {&found, 1}, all);
  if (std::ranges::count(all, 1) == size_) {
    memory_ = std::move(memory);
  }
}

template <typename F>
void C10dWorld::call(F f) {
  std::string reason;
  try {
    f();
    return;
  } catch (const std::exception& error) {
    reason = error.what();
  }
  explain(reason);
}

void C10dWorld::explain(const std::string& reason, std::vector<std::int64_t> silent) {
  constexpr std::string_view remedy =
      "the same command goes on from the last checkpoint; --rank-seconds gives a slow rank longer";
  try {
    memory_.reset();  // those that wait for this rank are not to wait any longer
    group_.reset();
    set("lost", "");
    const double limit = now_seconds() + kWordSeconds;
    do {
      for (std::int64_t r = 0; r < size_; ++r) {
        // Not one that itself ends because of another.
        if (r != rank_ && has("end", r) && !has("lost", r)) {
          const std::vector<std::uint8_t> word = store_->get(key("end", r));
          const std::string why(word.begin(), word.end());
          if (why == kStopped) {
            throw RanksStopped();
          }
          throw Error(fmt::format("rank {}", r), "has ended: " + why, remedy);
        }
      }
      ::usleep(20000);
    } while (now_seconds() < limit);
    if (silent.empty()) {
      silent = missing("lost", 0);
    }
    if (!silent.empty()) {
      throw Error(fmt::format("rank {} of {}", fmt::join(silent, ", "), size_),
                  fmt::format("is gone, or has not answered for {} s", patience_), remedy);
    }
    throw Error(fmt::format("rank {} of {}", rank_, size_), "lost the others: " + reason, remedy);
  } catch (const Error&) {
    throw;
  } catch (const RanksStopped&) {
    throw;
  } catch (const std::exception&) {
    // The store went with its host.
    throw Error(fmt::format("rank 0 of {}", size_), "is gone: " + reason, remedy);
  }
}

void C10dWorld::gather(std::span<const std::byte> own, std::span<std::byte> all) {
  if (own.empty()) {
    return;
  }
  if (memory_) {
    call([&] { memory_->gather(own, all); });
    return;
  }
  std::vector<std::vector<at::Tensor>> to(1);
  for (std::int64_t r = 0; r < size_; ++r) {
    to[0].push_back(bytes_at(all.data() + at(r) * own.size(), own.size()));
  }
  std::vector<at::Tensor> from{bytes_at(own.data(), own.size())};
  call([&] { group_->allgather(to, from)->wait(); });
}

void C10dWorld::exchange(std::span<const float> from, std::span<float> to) {
  if (memory_) {
    call([&] { memory_->exchange(std::as_bytes(from), std::as_writable_bytes(to)); });
    return;
  }
  const auto tensor = [](const float* values, std::size_t count) {
    return at::from_blob(const_cast<float*>(values), {static_cast<std::int64_t>(count)},
                         at::kFloat);
  };
  at::Tensor sent = tensor(from.data(), from.size());
  at::Tensor received = tensor(to.data(), to.size());
  std::vector<std::int64_t> equal;
  call([&] { group_->alltoall_base(received, sent, equal, equal)->wait(); });
}

// Gloo's own sums go round a ring, and with another size or version in another order; a sum of
// floating-point numbers depends on it. Here every rank sends each other one its part of the
// values, adds up the parts that it received from rank 0 on, and sends the sums round: as many
// bytes as a ring, one order.
void C10dWorld::sum(std::span<float> values) {
  const std::int64_t count = std::ssize(values);
  const std::size_t ranks = at(size_);
  const auto add = [&](std::span<float> to, std::size_t pitch) {
    std::copy_n(received_.begin(), to.size(), to.begin());
    for (std::size_t r = 1; r < ranks; ++r) {
      const float* const from = received_.data() + r * pitch;
      for (std::size_t i = 0; i < to.size(); ++i) {
        to[i] += from[i];
      }
    }
  };
  if (count <= kFewValues) {
    received_.resize(std::max(received_.size(), ranks * values.size()));
    gcg::gather<float>(*this, values, std::span(received_).first(ranks * values.size()));
    add(values, values.size());
    return;
  }
  const std::size_t part = (values.size() + ranks - 1) / ranks;
  sent_.assign(part * ranks, 0.0F);
  received_.resize(std::max(received_.size(), part * ranks));
  std::ranges::copy(values, sent_.begin());
  exchange(sent_, std::span(received_).first(part * ranks));
  const std::span<float> own = std::span(sent_).first(part);
  add(own, part);
  gcg::gather<float>(*this, own, std::span(received_).first(part * ranks));
  std::copy_n(received_.begin(), values.size(), values.begin());
}

void C10dWorld::meet() {
  const std::string meeting = key("meeting", ++meetings_);
  const double limit = now_seconds() + 15 * patience_;
  std::string reason = fmt::format("some did not come to meet it in {} s", 15 * patience_);
  Pulse pulse(*store_, size_);
  std::vector<std::int64_t> silent;
  double looked = now_seconds();
  try {
    std::int64_t here = store_->add(meeting, 1);
    for (useconds_t pause = 200; here < size_ && now_seconds() < limit;
         pause = std::min<useconds_t>(2 * pause, 20000)) {
      ::usleep(pause);
      here = store_->add(meeting, 0);
      if (here < size_ && store_->add("ended", 0) > 0) {
        reason = "one of them has ended";
        break;
      }
      if (now_seconds() - looked > kBeatSeconds) {
        looked = now_seconds();
        silent = pulse.silent(patience_);
        if (!silent.empty()) {
          break;
        }
      }
    }
    if (here == size_) {
      return;
    }
  } catch (const std::exception& error) {
    reason = error.what();
  }
  explain(reason, std::move(silent));
}

void C10dWorld::leave(std::string_view why) noexcept {
  const std::lock_guard guard(leaving_);
  if (left_ || !store_) {
    return;
  }
  left_ = true;
  try {
    set("end", why);
    store_->add("ended", 1);
    if (hosts_) {
      // The others are to find these words.
      const double limit = now_seconds() + kWordSeconds;
      for (std::int64_t r = 0; r < size_; ++r) {
        while (!has("end", r) && !has("lost", r) && now_seconds() < limit) {
          ::usleep(5000);
        }
      }
    }
  } catch (const std::exception&) {
    // The store is gone; so are those who would read it.
  }
}

class TcpMeetingPlace final : public MeetingPlace {
 public:
  TcpMeetingPlace() : store_(open_store("127.0.0.1", 0, true, 60)) {}
  std::uint16_t port() const override { return store_->getPort(); }

 private:
  c10::intrusive_ptr<c10d::TCPStore> store_;
};

}  // namespace

std::unique_ptr<World> join_world(const RankPlace& place, double patience, Exchange exchange) {
  return std::make_unique<C10dWorld>(place, patience, exchange);
}

std::unique_ptr<MeetingPlace> host_meeting_place() {
  try {
    return std::make_unique<TcpMeetingPlace>();
  } catch (const std::exception& error) {
    throw Error("--processes", fmt::format("no port of this machine can be listened at: {}",
                                           std::string(error.what()).substr(0, 300)));
  }
}

}  // namespace gcg
