#pragma once

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <functional>
#include <memory>

#include "world/group_exchange.h"
#include "world/place.h"

namespace gcg {

/// Between the GPUs of the ranks, each of which has opened its own, by NCCL; null if this build has
/// none. `patience` and `ended`: GroupExchange::Queue.
std::unique_ptr<GroupExchange> make_nccl_exchange(const c10::intrusive_ptr<c10d::TCPStore>& store,
                                                  const RankPlace& place, double patience,
                                                  std::function<bool()> ended);

}  // namespace gcg
