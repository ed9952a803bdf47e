#pragma once

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <string>

#include "world/group_exchange.h"
#include "world/place.h"

namespace gcg {

/// Ranks that Gloo connects, over the interface of GLOO_SOCKET_IFNAME or of the host's name.
/// `patience`: seconds after which a call is given up. Errors: a LibTorch without Gloo's headers.
c10::intrusive_ptr<Group> make_gloo_group(const c10::intrusive_ptr<c10d::TCPStore>& store,
                                          const RankPlace& place, double patience);

}  // namespace gcg
