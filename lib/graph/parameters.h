#pragma once

#include <cstdint>
#include <vector>

#include "graph/network.h"

namespace gcg {

/// Constants of every batch normalisation, as in the common training recipes.
inline constexpr double kNormEpsilon = 1e-5;
inline constexpr double kNormMomentum =
    0.1;  ///< weight of the newest batch in the running statistics

/// State of one batch normalisation, one value per channel.
struct NormParameters {
  std::vector<float> scale;     ///< gamma
  std::vector<float> shift;     ///< beta
  std::vector<float> mean;      ///< running mean
  std::vector<float> variance;  ///< running variance, unbiased estimate
  bool operator==(const NormParameters&) const = default;
};

/// The numbers of a network in plain memory: what executors read and write, what checkpoints hold.
/// weights[l] has the layout of Layer, all positions (zero where absent); biases[l] is empty where
/// the layer has none.
struct Parameters {
  std::vector<std::vector<float>> weights;
  std::vector<std::vector<float>> biases;
  std::vector<NormParameters> norms;
  bool operator==(const Parameters&) const = default;
};

/// Fresh weights: normal with variance 2 / fan-in of the dense layer (He et al. 2015), biases 0,
/// gamma 1, beta 0, running mean 0, running variance 1. Stream "initial-weights", index = layer:
/// every layer's values depend on (seed, layer) alone, not on the mask.
Parameters initial_parameters(const Network& network, std::uint64_t seed);

/// All zeros, running statistics left empty: the shape of the optimiser's slots.
Parameters zero_slots(const Network& network);

/// Weights, biases, gammas and betas of the dense network.
std::int64_t parameter_count(const Network& network);

/// Throws an Error that names the layer unless every array has the size the network asks for.
void check_sizes(const Network& network, const Parameters& parameters);

}  // namespace gcg
