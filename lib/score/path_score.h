#pragma once

#include <cstdint>
#include <vector>

#include "graph/network.h"
#include "graph/parameters.h"
#include "paths/sums.h"
#include "topology/mask.h"

namespace gcg {

/// One score per connection of every layer, present or absent, in the layout of the layer's weight.
/// Scores of different layers are comparable, but their unit is free (a common positive factor has
/// no meaning). They are stored as natural logarithms; -inf is a score of 0.
struct Scores {
  std::vector<std::vector<double>> log_values;
};

/// Throws an Error that names the layer unless every connection of the network has one score.
void check_sizes(const Network& network, const Scores& scores);

/// The path score of PathGrow (arXiv 2509.25665): for every connection, the sum over all
/// input-output paths through it of the product of the |w| of the other connections on the path.
/// power = 2 in the options gives path_l2: the exact gain of the trace. A pure function without
/// data. NaN or infinite weights are an Error that names the layer; a full layer is no error.
Scores path_scores(const Network& network, const Parameters& parameters, const Mask& mask,
                   const PathOptions& options = {});

/// SynFlow (Tanaka et al. 2020): |w dR/dw|, where R is the sum of the network's outputs with
/// weights |w| and an input of ones. That is |w| times the path score, the path weight through the
/// connection; 0 if it is absent. Activations are identities and max pooling counts as average, so
/// that dead units and ties do not matter; logarithms prevent underflow at any depth.
Scores synflow_scores(const Network& network, const Parameters& parameters, const Mask& mask,
                      const PathOptions& options = {});

/// log |v| of weights, gradients or averaged gradients: the scores of the rules magnitude, gradient
/// and momentum. Wrong sizes and non-finite values are an Error that names the layer.
Scores magnitude_scores(const Network& network, const std::vector<std::vector<float>>& values);

/// The same score (0 = log 1) for all connections: the rule random.
Scores uniform_scores(const Network& network);

/// The reversed order, as a control: 1 / score; scores of 0 become the largest.
Scores inverted(Scores scores);

}  // namespace gcg
