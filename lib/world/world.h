#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "backend/ranks.h"
#include "world/place.h"

namespace gcg {

/// The ranks of a run, connected. What the others meet if this one ends is what it left behind, or
/// that it is gone.
class World : public Ranks {
 public:
  /// What leave() is told of a rank that ended well, and of one that was stopped.
  static constexpr std::string_view kFinished = "finished";
  static constexpr std::string_view kStopped = "stopped";

  /// Tells the others why this rank ends and lets go of them; nothing else may be called then. From
  /// any thread.
  virtual void leave(std::string_view why) noexcept = 0;
};

/// Connects the ranks by c10d of LibTorch: a TCPStore where they find one another, Gloo between
/// them, or shared memory on one host, and NCCL between their GPUs where LibTorch has it: the same
/// bits. `patience`: seconds after which a rank that does not come or answer is given up, 15 times
/// as many in meet() where it is seen to work. GLOO_SOCKET_IFNAME names the network interface if it
/// is not the one of the host's name. Errors: ranks that do not come, a port that is taken, several
/// hosts and a LibTorch without Gloo's headers.
std::unique_ptr<World> join_world(const RankPlace& place, double patience,
                                  Exchange exchange = Exchange::nearest);

/// What a launcher hosts for ranks on its own host, as long as it lives.
class MeetingPlace {
 public:
  virtual ~MeetingPlace() = default;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
};
std::unique_ptr<MeetingPlace> host_meeting_place();

}  // namespace gcg
