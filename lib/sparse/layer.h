#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "executor/executor.h"
#include "sparse/index.h"

namespace gcg::sparse {

/// Numbers that training changes, with what belongs to them.
struct Trained {
  std::vector<float> value;
  std::vector<float> momentum;
  std::vector<float> gradient;

  /// Takes over values and momentum; the gradient becomes zero.
  void write(std::span<const float> values, std::span<const float> slots);
  /// As documented at SgdStep, in single precision.
  void step(const SgdStep& step);
};

/// A convolution or linear layer of which only the present weights exist.
struct SparseLayer {
  LayerPlace place;
  bool has_input_gradient = true;
  LayerMask mask;
  LayerIndex index;
  Trained weight;                ///< in the order of the index
  std::vector<float> reordered;  ///< the weights in the order of the input gradient
  Trained bias;

  /// Rebuilds the structure for a mask; values and slots are dense arrays.
  void write(const LayerMask& present, std::span<const float> values, std::span<const float> slots);
  /// To be called whenever weights have changed.
  void reorder();
  /// A dense array with +0 where absent.
  [[nodiscard]] std::vector<float> dense(std::span<const float> present) const;
};

}  // namespace gcg::sparse
