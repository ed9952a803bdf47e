#include "method/methods.h"

#include <array>

#include "base/lookup.h"

namespace gcg {

namespace {

constexpr std::array<MethodEntry, 13> kMethods{{
    {"dense", "the recipe on all connections: what everything is measured by", "", make_dense},
    {"gcg", "Gradual Capacity Growth: seed, train a little, grow, extrapolate, stop, train",
     "Gradual Capacity Growth for Sparse Network Discovery, arXiv 2509.25665", make_gcg},
    {"fixed_mask",
     "a mask that never changes, from a seed rule or a run file, in cycles or by the recipe", "",
     make_fixed_mask},
    {"small_dense", "a narrower dense network with the connections or FLOPs of a sparse one", "",
     make_small_dense},
    {"set", "constant layer counts, the smallest weights replaced at random while training",
     "Mocanu et al. 2018, Scalable training of artificial neural networks", make_set},
    {"rigl", "the same, replaced where the loss gradient is largest",
     "Evci et al. 2020, Rigging the lottery", make_rigl},
    {"granet", "gradual pruning from a sparse start, a share of each layer regrown by gradient",
     "Liu et al. 2021, Sparse training via boosting pruning plasticity", make_granet},
    {"gmp", "gradual magnitude pruning of a dense network by the cubic law",
     "Zhu & Gupta 2018, To prune, or not to prune", make_gmp},
    {"acdc", "dense and sparse in turn, sparse at the end", "Peste et al. 2021, AC/DC", make_acdc},
    {"imp", "iterative magnitude pruning: train, prune, go back, train again",
     "Frankle et al. 2020, Linear mode connectivity and the lottery ticket hypothesis", make_imp},
    {"grow_reallocate",
     "growth by path score beyond the target, then pruning with regrowth by path score down to it",
     "", make_grow_reallocate},
    {"grow_return",
     "growth to a peak, then pruning until the validation loss turns; the best of that way is "
     "trained to the end",
     "Dai et al. 2019, NeST: a neural network synthesis tool based on a grow-and-prune paradigm",
     make_grow_return},
    {"grow_budget", "growth to the density whose final training takes exactly the rest of a budget",
     "", make_grow_budget},
}};

}  // namespace

std::span<const MethodEntry> method_table() { return kMethods; }

std::unique_ptr<Method> make_method(std::string_view name) {
  return find_row(kMethods, name, "--method").make();
}

}  // namespace gcg
