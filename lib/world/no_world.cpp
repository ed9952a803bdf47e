// Where LibTorch comes without Gloo's headers.
#include "base/error.h"
#include "world/world.h"

namespace gcg {

namespace {

[[noreturn]] void refuse() {
  throw Error("--processes", "the LibTorch of this build comes without the headers of Gloo",
              "build with the distribution's LibTorch and libgloo-dev, or train in one process");
}

}  // namespace

std::unique_ptr<World> join_world(const RankPlace& /*place*/, double /*patience*/,
                                  Exchange /*exchange*/) {
  refuse();
}

std::unique_ptr<MeetingPlace> host_meeting_place() { refuse(); }

}  // namespace gcg
