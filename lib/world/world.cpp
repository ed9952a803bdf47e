#include "world/world.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/index.h"
#include "base/progress.h"
#include "base/thread_name.h"
#include "world/gloo_group.h"
#include "world/group_exchange.h"
#include "world/nccl_exchange.h"
#include "world/shared_memory.h"
#include "world/store.h"

namespace gcg {

namespace {

/// Values up to which all of them go to every rank at once: one exchange instead of two.
constexpr std::int64_t kFewValues = 16384;

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
  void arrive();
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
  Store store_;
  std::mutex leaving_;
  bool left_ = false;                     ///< guarded by leaving_
  std::unique_ptr<SharedMemory> memory_;  ///< empty: through group_
  c10::intrusive_ptr<Group> group_;
  std::unique_ptr<GroupExchange> tensors_;  ///< empty: through the host
  std::unique_ptr<TensorExchange> told_;
  std::int64_t meetings_ = 0;
  std::vector<float> sent_;
  std::vector<float> received_;
  std::optional<Heart> heart_;
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
  const std::string own = thread_name();
  const ThreadName serving(kServing);  // of the threads that LibTorch starts here
  try {
    store_ = open_store(place.address, place.port, hosts_, patience);
    arrive();
    heart_.emplace(place, patience, own);
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

void C10dWorld::arrive() {
  set(*store_, "here", rank_, "");
  const std::vector<std::int64_t> absent = missing(*store_, size_, "here", patience_);
  if (!absent.empty()) {
    throw Error(fmt::format("rank {}", fmt::join(absent, ", ")),
                fmt::format("did not come within {} s", patience_),
                "see what it says itself; --rank-seconds gives it longer");
  }
}

std::unique_ptr<SharedMemory> C10dWorld::shared_memory() {
  const auto gather_text = [&](std::string_view word, std::string_view own) {
    set(*store_, word, rank_, own);
    std::vector<std::string> texts;
    for (std::int64_t r = 0; r < size_; ++r) {
      texts.push_back(get(*store_, word, r));
    }
    return texts;
  };
  std::unique_ptr<SharedMemory> memory;
  try {
    memory = std::make_unique<SharedMemory>(rank_, size_, patience_);
  } catch (const Error&) {
    // The system gives none: the empty address is that of no memory, and all take the network.
  }
  const std::vector<std::string> addresses = gather_text("memory", memory ? memory->address() : "");
  const bool found = memory && memory->open(addresses);
  const std::vector<std::string> near = gather_text("near", found ? "yes" : "no");
  return std::ranges::count(near, "yes") == size_ ? std::move(memory) : nullptr;
}

TensorExchange* C10dWorld::tensors_on(const std::string& device) {
  if (!tensors_ && size_ > 1) {
    const ThreadName serving(kServing);
    call([&] {
      if (device == "cuda") {
        // Its calls may come from threads of LibTorch: a connection of its own.
        tensors_ = make_nccl_exchange(open_store(place_.address, place_.port, false, patience_),
                                      place_, patience_, heart_->ended());
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
    heart_ ? heart_->waiting(f) : f();
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
  memory_.reset();  // those that wait for this rank are not to wait any longer
  group_.reset();
  if (tensors_) {
    tensors_->close();
  }
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
    if (place_.launcher_hosts) {
      // The store reads a call to its end before it serves another one.
      throw Error(
          fmt::format("rank {} of {}", rank_, size_),
          fmt::format("lost the others: where they meet nobody answers, the launcher is gone "
                      "or one of them stopped in the middle of a call: {}",
                      reason),
          remedy);
    }
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
                     patience = std::max(patience_, 5 * kPulseSeconds),
                     next = std::make_shared<double>(now_seconds())](std::int64_t comes) {
    // In this order: who has met may end at once.
    const bool ended = store->add("ended", 0) > 0;
    Look found{store->add(meeting, comes), ended, {}};
    if (found.here < size) {
      if (now_seconds() > *next) {
        *next = now_seconds() + kPulseSeconds;
        found.silent = pulse->silent(patience);
      }
    }
    return found;
  };
  const double limit = now_seconds() + 15 * patience_;
  std::string reason = fmt::format("some did not come to meet it in {} s", 15 * patience_);
  std::vector<std::int64_t> silent;
  try {
    if (tensors_) {
      tensors_->check();
    }
    const bool met = heart_->waiting([&] {
      std::int64_t comes = 1;
      for (useconds_t pause = 200; now_seconds() < limit;
           pause = std::min<useconds_t>(2 * pause, 20000)) {
        const std::optional<Look> now = within(patience_, [look, comes] { return look(comes); });
        if (!now) {
          reason = fmt::format("it has not answered for {} s", patience_);
          return false;
        }
        if (now->here == size_) {
          return true;
        }
        if (now->ended || !now->silent.empty()) {
          reason = "one of them has ended";
          silent = now->silent;
          return false;
        }
        comes = 0;
        ::usleep(pause);
      }
      return false;
    });
    if (met) {
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
