// What a run takes from LibTorch, in a program that is not linked to it: a plan that comes to one
// of these was not asked whether it needs LibTorch.
#include <array>

#include "base/error.h"
#include "dense/curvature.h"
#include "run/backends.h"
#include "run/libtorch.h"
#include "world/world.h"

namespace gcg {

namespace {

constexpr std::array<BackendMaker, 1> kMakers{{{"sparse", make_sparse}}};

[[noreturn]] void needed(const char* what) {
  throw Error(what, "this program is not linked to LibTorch", "call gcg_run");
}

}  // namespace

std::span<const BackendMaker> backend_makers() { return kMakers; }

std::optional<Library> libtorch() { return std::nullopt; }

std::vector<std::vector<float>> hessian_product(
    const Network& /*network*/, const TrainingState& /*state*/,
    const std::vector<std::vector<float>>& /*direction*/, const Batch& /*batch*/,
    std::int64_t /*threads*/, bool /*in_double*/) {
  needed("curvature");
}

std::unique_ptr<World> join_world(const RankPlace& /*place*/, double /*patience*/,
                                  Exchange /*exchange*/) {
  needed("several processes");
}

std::unique_ptr<MeetingPlace> host_meeting_place() { needed("several processes"); }

}  // namespace gcg
