// Where LibTorch comes without Gloo's headers.
#include "base/error.h"
#include "world/gloo_group.h"

namespace gcg {

c10::intrusive_ptr<Group> make_gloo_group(const c10::intrusive_ptr<c10d::TCPStore>& /*store*/,
                                          const RankPlace& /*place*/, double /*patience*/) {
  throw Error("--world auto",
              "the ranks share no memory, and the LibTorch of this build comes without the headers "
              "of Gloo, by which they would exchange over a network",
              "start all of them on one host and outside of containers of their own, or build with "
              "the distribution's LibTorch and libgloo-dev");
}

}  // namespace gcg
