#include "world/world.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/index.h"
#include "base/progress.h"
#include "world/shared_memory.h"
#include "world/store.h"

namespace gcg {

namespace {

/// Values up to which all of them go to every rank at once: one exchange instead of two.
constexpr std::int64_t kFewValues = 16384;

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
  void arrive();
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
  Store store_;
  std::mutex leaving_;
  bool left_ = false;  ///< guarded by leaving_
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
  std::unique_ptr<SharedMemory> memory_;  ///< empty: through group_
  std::int64_t meetings_ = 0;
  std::vector<float> sent_;
  std::vector<float> received_;
  std::optional<Heart> heart_;
};

C10dWorld::C10dWorld(const RankPlace& place, double patience, Exchange exchange)
    : rank_(place.rank),
      size_(place.ranks),
      patience_(patience),
      hosts_(place.rank == 0 && !place.launcher_hosts) {
  try {
    store_ = open_store(place.address, place.port, hosts_, patience);
    arrive();
    heart_.emplace(place, patience);
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

void C10dWorld::arrive() {
  set(*store_, "here", rank_, "");
  const std::vector<std::int64_t> absent = missing(*store_, size_, "here", patience_);
  if (!absent.empty()) {
    throw Error(fmt::format("rank {}", fmt::join(absent, ", ")),
                fmt::format("did not come within {} s", patience_),
                "see what it says itself; --rank-seconds gives it longer");
  }
}

void C10dWorld::connect(const std::string& address) {
  auto options = c10d::ProcessGroupGloo::Options::create(
      std::chrono::milliseconds(static_cast<std::int64_t>(1000 * patience_)));
  options->devices.push_back(network_device(address));
  options->threads = 1;  // calls follow one another
  group_ = c10::make_intrusive<c10d::ProcessGroupGloo>(store_, static_cast<int>(rank_),
                                                       static_cast<int>(size_), options);
}

void C10dWorld::find_shared_memory() {
  std::unique_ptr<SharedMemory> memory;
  try {
    memory = std::make_unique<SharedMemory>(rank_, size_, patience_);
  } catch (const Error&) {
    // The system gives none: the empty address is that of no memory, and all take the network.
  }
  set(*store_, "memory", rank_, memory ? memory->address() : "");
  std::vector<std::string> addresses;
  for (std::int64_t r = 0; r < size_; ++r) {
    addresses.push_back(get(*store_, "memory", r));
  }
  const std::uint8_t found = memory && memory->open(addresses) ? 1 : 0;
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
  memory_.reset();  // those that wait for this rank are not to wait any longer
  group_.reset();
  std::optional<LastWords> words;
  try {
    words = within(kWordSeconds + 1, [store = store_, rank = rank_, size = size_] {
      return last_words(*store, rank, size);
    });
  } catch (const std::exception&) {
    // The store went with its host.
  }
  if (!words) {
    const std::lock_guard guard(leaving_);
    left_ = true;  // there is nobody to tell it
    throw Error(fmt::format("rank 0 of {}", size_), "is gone: " + reason, remedy);
  }
  if (words->end && words->end->second == kStopped) {
    throw RanksStopped();
  }
  if (words->end) {
    throw Error(fmt::format("rank {}", words->end->first), "has ended: " + words->end->second,
                remedy);
  }
  if (silent.empty()) {
    silent = words->silent;
  }
  if (!silent.empty()) {
    throw Error(fmt::format("rank {} of {}", fmt::join(silent, ", "), size_),
                fmt::format("is gone, or has not answered for {} s", patience_), remedy);
  }
  throw Error(fmt::format("rank {} of {}", rank_, size_), "lost the others: " + reason, remedy);
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
  struct Look {
    std::int64_t here = 0;
    bool ended = false;
    std::vector<std::int64_t> silent;
  };
  const auto look = [pulse = std::make_shared<Pulse>(store_, size_), store = store_, size = size_,
                     meeting = key("meeting", ++meetings_),
                     patience = std::max(patience_, 5 * kBeatSeconds),
                     next = std::make_shared<double>(now_seconds())](std::int64_t comes) {
    Look found{store->add(meeting, comes), false, {}};
    if (found.here < size) {
      found.ended = store->add("ended", 0) > 0;
      if (now_seconds() > *next) {
        *next = now_seconds() + kBeatSeconds;
        found.silent = pulse->silent(patience);
      }
    }
    return found;
  };
  const double limit = now_seconds() + 15 * patience_;
  std::string reason = fmt::format("some did not come to meet it in {} s", 15 * patience_);
  std::vector<std::int64_t> silent;
  try {
    std::int64_t comes = 1;
    for (useconds_t pause = 200; now_seconds() < limit;
         pause = std::min<useconds_t>(2 * pause, 20000)) {
      const std::optional<Look> now = within(patience_, [look, comes] { return look(comes); });
      if (!now) {
        reason = fmt::format("it has not answered for {} s", patience_);
        break;
      }
      if (now->here == size_) {
        return;
      }
      if (now->ended || !now->silent.empty()) {
        reason = "one of them has ended";
        silent = now->silent;
        break;
      }
      comes = 0;
      ::usleep(pause);
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
    within(2 * kWordSeconds,
           [store = store_, rank = rank_, size = size_, hosts = hosts_, word = std::string(why)] {
             tell_end(*store, rank, size, word, hosts);
             return true;
           });
  } catch (const std::exception&) {
    // The store is gone; so are those who would read it.
  }
}

class TcpMeetingPlace final : public MeetingPlace {
 public:
  TcpMeetingPlace() : store_(open_store("127.0.0.1", 0, true, 60)) {}
  std::uint16_t port() const override { return store_->getPort(); }

 private:
  Store store_;
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
