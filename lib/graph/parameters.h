#pragma once

#include <cstdint>
#include <vector>

#include "graph/network.h"

namespace gcg {

/// Constants of all batch normalisations, as in the common training recipes.
inline constexpr double kNormEpsilon = 1e-5;
inline constexpr double kNormMomentum =
    0.1;  ///< weight of the newest batch in the running statistics

/// Added to the variance in layer normalisation, as in the common vision transformers.
inline constexpr double kLayerNormEpsilon = 1e-6;

/// Standard deviation of an initial class token and position table.
inline constexpr double kTokenDeviation = 0.02;

/// Parameters of one normalisation, with one value per channel.
struct NormParameters {
  std::vector<float> scale;     ///< gamma
  std::vector<float> shift;     ///< beta
  std::vector<float> mean;      ///< running mean; empty for layer normalisation
  std::vector<float> variance;  ///< running variance, unbiased; also empty
  bool operator==(const NormParameters&) const = default;
};

/// What a transformer's tokens node learns; empty if the network has none.
struct TokenParameters {
  std::vector<float> class_token;  ///< [channels]
  std::vector<float> positions;    ///< [channels][tokens], first that of the class token
  bool operator==(const TokenParameters&) const = default;
};

/// The parameters of a network in plain memory: what executors read and write and checkpoints hold.
/// weights[l] has the layout of Layer with all positions (zero where absent); biases[l] is empty if
/// the layer has no bias.
struct Parameters {
  std::vector<std::vector<float>> weights;
  std::vector<std::vector<float>> biases;
  std::vector<NormParameters> norms;
  TokenParameters tokens{};
  bool operator==(const Parameters&) const = default;
};

/// Initial values. Weights: normal with variance 2 / fan-in of the dense layer (He et al. 2015),
/// stream "initial-weights", index = layer: they depend on (seed, layer) alone, not on the mask.
/// Biases 0, gamma 1, beta 0, running mean 0, running variance 1. Class token and position table:
/// normal with deviation 0.02 (Touvron et al. 2021), stream "initial-tokens", index 0 and 1.
Parameters initial_parameters(const Network& network, std::uint64_t seed);

/// All zeros, with empty running statistics: the shape of an optimiser's slots.
Parameters zero_slots(const Network& network);

/// The size of the dense network: weights, biases, gammas, betas, class token, position table.
std::int64_t parameter_count(const Network& network);

/// Throws an Error that names the layer unless every array has the size that the network needs.
void check_sizes(const Network& network, const Parameters& parameters);

}  // namespace gcg
