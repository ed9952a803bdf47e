#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "backend/random_cases.h"
#include "base/hash.h"

namespace gcg {

/// The state after three steps with batches of changing size, a change of the mask among them.
inline TrainingState trained(Executor& executor) {
  const Network& network = executor.network();
  executor.write(random_state(network, 0.3, 1));
  for (std::uint64_t i = 0; i < 3; ++i) {
    executor.forward_backward(random_batch(network, i == 1 ? 7 : 40, 2 + i));
    executor.step(sgd_step());
    if (i == 1) {
      TrainingState state = executor.read();
      for (LayerMask& layer : state.mask.layers) {
        layer.set(layer.size() / 2);
      }
      executor.write(state);
    }
  }
  return executor.read();
}

/// Distance of two sets of arrays, relative to the length of the second.
inline double distance(const std::vector<std::vector<float>>& a,
                       const std::vector<std::vector<float>>& b) {
  double apart = 0;
  double length = 0;
  for (std::size_t l = 0; l < b.size(); ++l) {
    for (std::size_t i = 0; i < b[l].size(); ++i) {
      const double expected = static_cast<double>(b[l][i]);
      apart += std::pow(static_cast<double>(a[l][i]) - expected, 2);
      length += expected * expected;
    }
  }
  return std::sqrt(apart / length);
}

/// The first digits of their SHA-256.
inline std::string digest_of_weights(const TrainingState& state) {
  Sha256 sum;
  for (const std::vector<float>& layer : state.values.weights) {
    sum.update(std::as_bytes(std::span(layer)));
  }
  return hex(sum.finish()).substr(0, 12);
}

}  // namespace gcg
