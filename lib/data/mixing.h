#pragma once

#include <cstdint>
#include <span>

#include "base/random.h"
#include "graph/network.h"

namespace gcg {

/// How neighbours in a training batch, samples 0 and 1, 2 and 3 and so on, are mixed with each
/// other. The last sample of an odd batch stays as it is. The order of an epoch is random, so that
/// the pairs are; both samples of a pair stay in the batch, mixed the one way and the other.
struct Mixing {
  double mixup = 0;   ///< alpha of mixup (Zhang et al. 2018), in [0, 1]; 0: none
  double cutmix = 0;  ///< alpha of CutMix (Yun et al. 2019), in [0, 1]; 0: none

  [[nodiscard]] bool any() const { return mixup > 0 || cutmix > 0; }
  bool operator==(const Mixing&) const = default;
};

/// What is done with the pairs of one batch.
struct Mix {
  double share = 0;   ///< of the neighbour's label in a target, in [0, 1]
  bool cuts = false;  ///< whether a pair exchanges a rectangle; else values are averaged
  std::int64_t top = 0;
  std::int64_t left = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
};

/// A draw of the distribution Beta(alpha, alpha), by the rejection of Johnk 1964. alpha: in (0, 1].
double draw_beta(double alpha, RandomStream& stream);

/// Draws what is done with a batch of images of this shape. With both kinds each has a probability
/// of one half. Of mixup the share is a draw of Beta(alpha, alpha) or its complement, the smaller:
/// the same pairs, since both samples stay. Of CutMix a rectangle of the image's proportions with
/// that share of its area, around a uniform point, cut at the edges; the share is what is left of
/// its area.
Mix draw_mix(const Mixing& mixing, const Shape& shape, RandomStream stream);

/// Mixes two images [channels][height][width] of this shape with each other.
void mix_pair(const Mix& mix, const Shape& shape, std::span<float> a, std::span<float> b);

}  // namespace gcg
