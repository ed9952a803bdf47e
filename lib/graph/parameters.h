#pragma once

#include <cstdint>
#include <vector>

#include "graph/network.h"

namespace gcg {

/// Constants of every batch normalisation, as in the common training recipes.
inline constexpr double kNormEpsilon = 1e-5;
inline constexpr double kNormMomentum =
    0.1;  ///< weight of the newest batch in the running statistics

/// Added to the variance by layer normalisation, as in the common vision transformers.
inline constexpr double kLayerNormEpsilon = 1e-6;

/// Deviation of a fresh class token and position table.
inline constexpr double kTokenDeviation = 0.02;

/// State of one normalisation, one value per channel.
struct NormParameters {
  std::vector<float> scale;     ///< gamma
  std::vector<float> shift;     ///< beta
  std::vector<float> mean;      ///< running mean; empty of a layer normalisation
  std::vector<float> variance;  ///< running variance, unbiased estimate; likewise
  bool operator==(const NormParameters&) const = default;
};

/// What a transformer's node of tokens learns; empty where a network has none.
struct TokenParameters {
  std::vector<float> class_token;  ///< [channels]
  std::vector<float> positions;    ///< [channels][tokens], the class token's first
  bool operator==(const TokenParameters&) const = default;
};

/// The numbers of a network in plain memory: what executors read and write, what checkpoints hold.
/// weights[l] has the layout of Layer, all positions (zero where absent); biases[l] is empty where
/// the layer has none.
struct Parameters {
  std::vector<std::vector<float>> weights;
  std::vector<std::vector<float>> biases;
  std::vector<NormParameters> norms;
  TokenParameters tokens{};
  bool operator==(const Parameters&) const = default;
};

/// Fresh weights: normal with variance 2 / fan-in of the dense layer (He et al. 2015), biases 0,
/// gamma 1, beta 0, running mean 0, running variance 1. Stream "initial-weights", index = layer:
/// every layer's values depend on (seed, layer) alone, not on the mask. Class token and position
/// table: normal with deviation 0.02 (Touvron et al. 2021), stream "initial-tokens", index 0 and 1.
Parameters initial_parameters(const Network& network, std::uint64_t seed);

/// All zeros, running statistics left empty: the shape of the optimiser's slots.
Parameters zero_slots(const Network& network);

/// Weights, biases, gammas, betas, class token and position table of the dense network.
std::int64_t parameter_count(const Network& network);

/// Throws an Error that names the layer unless every array has the size the network asks for.
void check_sizes(const Network& network, const Parameters& parameters);

}  // namespace gcg
