#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "backend/state.h"
#include "graph/network.h"
#include "score/path_score.h"

namespace gcg {

/// One value per connection, present or absent, per layer, in the layout of the layer's weight.
using ConnectionValues = std::vector<std::vector<float>>;

/// Returns the gradients of the mean loss by every connection at a state, in training mode, on one
/// batch of training images; equal batch numbers give equal batches. Pure: a call changes nothing
/// but the count of its cost.
using GradientSource =
    std::function<ConnectionValues(const TrainingState& state, std::uint64_t batch)>;

/// The mean over the batches first, first + 1, ..., first + count - 1.
ConnectionValues mean_gradients(const GradientSource& source, const TrainingState& state,
                                std::uint64_t first, std::int64_t count);

/// SNIP, connection sensitivity (Lee et al. 2019): |w g|.
Scores snip_scores(const Network& network, const TrainingState& state,
                   const ConnectionValues& gradients);

/// Returns the Hessian of that loss by the present weights times a direction, on one batch, with
/// fixed activation patterns. Pure, as a GradientSource.
using CurvatureSource = std::function<ConnectionValues(
    const TrainingState& state, const ConnectionValues& direction, std::uint64_t batch)>;

/// H g at present connections (0 elsewhere), H and g both averaged over the same batches.
ConnectionValues hessian_gradient_product(const Network& network, const GradientSource& gradients,
                                          const CurvatureSource& curvature,
                                          const TrainingState& state, std::uint64_t first,
                                          std::int64_t count);

/// GraSP (Wang et al. 2020): w (H g), half of what the squared gradient norm loses to first order
/// when the connection is removed. Gradient flow needs the connections where it is large. It is
/// signed and shifted so that the smallest is 0: only the order has a meaning. The temperature in
/// the authors' code is left out.
Scores grasp_scores(const Network& network, const TrainingState& state,
                    const ConnectionValues& product);

}  // namespace gcg
