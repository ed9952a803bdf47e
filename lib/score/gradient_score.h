#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "backend/state.h"
#include "graph/network.h"
#include "score/path_score.h"

namespace gcg {

/// One value per connection, present or absent, per layer in the layout of its weight.
using ConnectionValues = std::vector<std::vector<float>>;

/// Gradients of the mean loss with respect to every connection at a state, in training mode, on one
/// batch of training images; equal numbers mean equal batches. Pure: nothing remembers the call but
/// the count of its cost.
using GradientSource =
    std::function<ConnectionValues(const TrainingState& state, std::uint64_t batch)>;

/// The mean over batches first, first + 1, ..., first + count - 1.
ConnectionValues mean_gradients(const GradientSource& source, const TrainingState& state,
                                std::uint64_t first, std::int64_t count);

/// SNIP (Lee et al. 2019), connection sensitivity: |w g|.
Scores snip_scores(const Network& network, const TrainingState& state,
                   const ConnectionValues& gradients);

/// The Hessian of that loss, in the present weights, times a direction, on one batch; activation
/// patterns fixed. Pure as a GradientSource.
using CurvatureSource = std::function<ConnectionValues(
    const TrainingState& state, const ConnectionValues& direction, std::uint64_t batch)>;

/// H g at present connections (0 elsewhere), both averaged over the same batches.
ConnectionValues hessian_gradient_product(const Network& network, const GradientSource& gradients,
                                          const CurvatureSource& curvature,
                                          const TrainingState& state, std::uint64_t first,
                                          std::int64_t count);

/// GraSP (Wang et al. 2020): w (H g), the change of the squared gradient norm to first order when
/// the connection goes, is large for those that gradient flow needs. Signed; shifted to begin at 0
/// (the smallest of all becomes 0), so only the order has a meaning. Without the temperature of the
/// authors' code.
Scores grasp_scores(const Network& network, const TrainingState& state,
                    const ConnectionValues& product);

}  // namespace gcg
