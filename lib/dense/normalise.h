#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gcg {

/// Batch normalisation of arrays [positions][channels], channels innermost, fused with the ReLU
/// behind it: what takes a third of a training step as separate operations is bound by memory.
/// Single precision with sums in double precision; the same bits for any number of LibTorch's
/// threads and any vector width. Every span has positions * channels elements, or one a channel;
/// they must not overlap.

/// Mean and biased variance of every channel.
struct ChannelMoments {
  std::vector<double> mean;
  std::vector<double> variance;
};
ChannelMoments channel_moments(std::span<const float> input, std::int64_t channels);

/// One channel of a normalisation is (x - mean) * slope + shift.
struct Normalisation {
  std::vector<float> mean;
  std::vector<float> slope;  ///< scale / sqrt(variance + epsilon)
  std::vector<float> shift;
};

/// output = normalised input, plus `shortcut` if that is not empty; then its ReLU if asked for. NaN
/// stays NaN.
void normalise(const Normalisation& norm, std::span<const float> input,
               std::span<const float> shortcut, bool relu, std::span<float> output);

/// Per channel, over the gradient g of normalise's output without shortcut (0 where its ReLU is
/// off):
struct GradientSums {
  std::vector<double> gradient;  ///< sum of g
  std::vector<double> centred;   ///< sum of g (x - mean)
};
GradientSums gradient_sums(const Normalisation& norm, std::span<const float> input, bool relu,
                           std::span<const float> gradient);

/// input_gradient = slope g + centred_factor (x - mean) + constant, per channel, g as above.
void normalise_backward(const Normalisation& norm, std::span<const float> input, bool relu,
                        std::span<const float> gradient, std::span<const float> centred_factor,
                        std::span<const float> constant, std::span<float> input_gradient);

}  // namespace gcg
