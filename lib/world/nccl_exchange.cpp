// Of a LibTorch with CUDA and NCCL alone, whose headers need those of both.
#include "world/nccl_exchange.h"

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include <chrono>
#include <cstdlib>
#include <utility>

namespace gcg {

namespace {

/// LibTorch's own watchdog ends the process where an exchange fails or takes long, counted from
/// when it was queued. GroupExchange looks after them instead.
void silence_watchdog() {
  ::unsetenv("NCCL_ASYNC_ERROR_HANDLING");  // the name that torchrun used to set
  ::setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0", 1);
  ::setenv("TORCH_NCCL_DUMP_ON_TIMEOUT", "0", 1);
  ::setenv("TORCH_NCCL_ENABLE_MONITORING", "0", 1);
}

}  // namespace

std::unique_ptr<GroupExchange> make_nccl_exchange(const c10::intrusive_ptr<c10d::TCPStore>& store,
                                                  const RankPlace& place, double patience,
                                                  std::function<bool()> ended) {
  silence_watchdog();
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = std::chrono::hours(24 * 365);
  auto group = c10::make_intrusive<c10d::ProcessGroupNCCL>(
      c10::make_intrusive<c10d::PrefixStore>("nccl", store), static_cast<int>(place.rank),
      static_cast<int>(place.ranks), options);
  return std::make_unique<GroupExchange>(
      group,
      GroupExchange::Queue{patience, std::move(ended), [own = group.get()] { own->abort(); }});
}

}  // namespace gcg
