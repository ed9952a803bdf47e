#include "method/methods.h"

#include <array>

#include "base/lookup.h"

namespace gcg {

namespace {

constexpr std::array<MethodEntry, 3> kMethods{{
    {"dense", "the recipe on all connections: what everything is measured by", "", make_dense},
    {"gcg", "Gradual Capacity Growth: seed, train a little, grow, extrapolate, stop, train",
     "Gradual Capacity Growth for Sparse Network Discovery, arXiv 2509.25665", make_gcg},
    {"fixed_mask",
     "a mask that never changes, from a seed rule or a run file, in cycles or by the recipe", "",
     make_fixed_mask},
}};

}  // namespace

std::span<const MethodEntry> method_table() { return kMethods; }

std::unique_ptr<Method> make_method(std::string_view name) {
  return find_row(kMethods, name, "--method").make();
}

}  // namespace gcg
