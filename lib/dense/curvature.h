#pragma once

#include <cstdint>
#include <vector>

#include "backend/executor.h"
#include "backend/state.h"

namespace gcg {

/// The Hessian of the mean loss over a batch, in the present weights, times a direction: 0 at
/// absent connections. Training mode; activation patterns and the winners of max pooling as they
/// are (the kinks themselves have no part in it), which no difference of gradients gives: steps
/// large enough for single precision cross kinks. By differentiating the product of gradient and
/// direction, in single precision, or in double (for tests). Arrays per layer in the layout of its
/// weight. Errors: sizes that do not fit.
std::vector<std::vector<float>> hessian_product(const Network& network, const TrainingState& state,
                                                const std::vector<std::vector<float>>& direction,
                                                const Batch& batch, std::int64_t threads,
                                                bool in_double = false);

}  // namespace gcg
