#include "world/world.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/index.h"
#include "base/progress.h"
#include "world/gloo_group.h"
#include "world/group_exchange.h"
#include "world/nccl_exchange.h"
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
  TensorExchange* tensors_on(const std::string& device) override;
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
  void begin_to_beat();
  /// Memory between all ranks, unless they are on several hosts.
  [[nodiscard]] std::unique_ptr<SharedMemory> shared_memory();
  /// f(), unless something that is queued has failed; what is thrown is told by explain().
  template <typename F>
  void call(F f);
  /// As SharedMemory::exchange.
  void exchange(std::span<const float> from, std::span<float> to);
  /// Why a call to the others failed. `silent`: ranks known to give no sign of life.
  [[noreturn]] void explain(const std::string& reason, std::vector<std::int64_t> silent = {});

  /// `tensors_`, with failures in the words of explain().
  class Tensors;

  const RankPlace place_;
  const std::int64_t rank_;
  const std::int64_t size_;
  const double patience_;
  const bool hosts_;
  c10::intrusive_ptr<c10d::TCPStore> store_;
  std::mutex leaving_;
  bool left_ = false;                     ///< guarded by leaving_
  std::unique_ptr<SharedMemory> memory_;  ///< empty: through group_
  c10::intrusive_ptr<Group> group_;
  std::atomic<bool> ended_ = false;         ///< one of the others, as the beating thread saw
  std::unique_ptr<GroupExchange> tensors_;  ///< empty: through the host
  std::unique_ptr<TensorExchange> told_;
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

class C10dWorld::Tensors final : public TensorExchange {
 public:
  explicit Tensors(C10dWorld& world) : world_(world) {}
  at::Tensor gather(const at::Tensor& own) override {
    at::Tensor all;
    world_.call([&] { all = world_.tensors_->gather(own); });
    return all;
  }
  void sum(const at::Tensor& values) override {
    world_.call([&] { world_.tensors_->sum(values); });
  }

 private:
  C10dWorld& world_;
};

C10dWorld::C10dWorld(const RankPlace& place, double patience, Exchange exchange)
    : place_(place),
      rank_(place.rank),
      size_(place.ranks),
      patience_(patience),
      hosts_(place.rank == 0 && !place.launcher_hosts) {
  try {
    store_ = open_store(place.address, place.port, hosts_, patience);
    arrive();
    begin_to_beat();
    if (exchange == Exchange::nearest) {
      memory_ = shared_memory();
    }
    if (!memory_) {
      group_ = make_gloo_group(store_, place, patience);
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

void C10dWorld::begin_to_beat() {
  // A connection of its own: a call that waits holds the other one.
  auto store = open_store(place_.address, place_.port, false, patience_);
  beating_ = std::jthread([this, store, own = key("beat", rank_)](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any end;
    std::unique_lock lock(mutex);
    try {
      do {
        store->add(own, 1);
        ended_ = store->add("ended", 0) > 0;
      } while (!end.wait_for(lock, stop, std::chrono::duration<double>(kBeatSeconds),
                             [&] { return stop.stop_requested(); }));
    } catch (const std::exception&) {
      // The store went with its host, which the next call to the others tells.
    }
  });
}

std::unique_ptr<SharedMemory> C10dWorld::shared_memory() {
  const auto gather_text = [&](std::string_view what, std::string_view own) {
    set(what, own);
    std::vector<std::string> texts;
    for (std::int64_t r = 0; r < size_; ++r) {
      const std::vector<std::uint8_t> text = store_->get(key(what, r));
      texts.emplace_back(text.begin(), text.end());
    }
    return texts;
  };
  auto memory = std::make_unique<SharedMemory>(rank_, size_, patience_);
  const bool found = memory->open(gather_text("memory", memory->address()));
  const std::vector<std::string> near = gather_text("near", found ? "yes" : "no");
  return std::ranges::count(near, "yes") == size_ ? std::move(memory) : nullptr;
}

TensorExchange* C10dWorld::tensors_on(const std::string& device) {
  if (!tensors_ && size_ > 1) {
    call([&] {
      if (device == "cuda") {
        // Its calls may come from threads of LibTorch: a connection of its own.
        tensors_ = make_nccl_exchange(open_store(place_.address, place_.port, false, patience_),
                                      place_, patience_, [this] { return ended_.load(); });
      } else if (group_) {
        tensors_ = std::make_unique<GroupExchange>(group_, GroupExchange::Queue{patience_});
      }
      if (tensors_) {
        // What is not in order shows here, before the run has begun.
        tensors_->gather(at::full({1}, rank_, at::TensorOptions(at::Device(device))));
        told_ = std::make_unique<Tensors>(*this);
      }
    });
  }
  return told_.get();
}

template <typename F>
void C10dWorld::call(F f) {
  std::string reason;
  try {
    if (tensors_) {
      tensors_->check();
    }
    f();
    return;
  } catch (const c10::Error& error) {
    reason = error.what_without_backtrace();
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
    if (tensors_) {
      tensors_->close();
    }
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
    if (tensors_) {
      tensors_->check();
    }
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
