#pragma once

#include <cstdint>
#include <vector>

#include "graph/network.h"
#include "graph/parameters.h"
#include "paths/sums.h"
#include "topology/mask.h"

namespace gcg {

/// A score per connection of every layer, present or absent, in the layout of the layer's weight.
/// Scores of different layers are comparable; their unit is free (a common positive factor has no
/// meaning), so they are stored as natural logarithms: -inf is a score of 0.
struct Scores {
  std::vector<std::vector<double>> log_values;
};

/// Throws an Error that names the layer unless there is one score per connection of the network.
void check_sizes(const Network& network, const Scores& scores);

/// The path score of PathGrow (arXiv 2509.25665): for every connection the sum over all
/// input-output paths through it of the product of the |w| of the other connections on the path.
/// power = 2 in the options gives path_l2: the trace's exact gain. A pure function without data.
/// NaN or infinite weights are an Error that names the layer; a full layer is not an error.
Scores path_scores(const Network& network, const Parameters& parameters, const Mask& mask,
                   const PathOptions& options = {});

/// SynFlow (Tanaka et al. 2020), |w dR/dw| of R = sum of the outputs of the network of |w| for an
/// input of ones: |w| times the path score, that is the path weight through the connection; 0 where
/// it is absent. Activations are identities and max pooling counts as average, so that dead units
/// and ties do not matter; never below the smallest double, whatever the depth.
Scores synflow_scores(const Network& network, const Parameters& parameters, const Mask& mask,
                      const PathOptions& options = {});

/// log |v| of weights, gradients or their average: the scores of the magnitude, gradient and
/// momentum rules. Values that do not fit or are not finite are an Error that names the layer.
Scores magnitude_scores(const Network& network, const std::vector<std::vector<float>>& values);

/// The same score (0 = log 1) everywhere: the random rule.
Scores uniform_scores(const Network& network);

/// The order turned round, a control: 1 / score; a score of 0 becomes the largest of all.
Scores inverted(Scores scores);

}  // namespace gcg
