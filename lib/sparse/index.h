#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/network.h"
#include "sparse/kernels.h"
#include "sparse/layout.h"
#include "topology/mask.h"

namespace gcg::sparse {

/// How a layer lies between its two tensors.
struct LayerPlace {
  Layer layer;
  Window window;  ///< a linear layer has the window of a 1x1 convolution
  Layout input;
  Layout output;
};

/// Halo that a convolution reads around its input, and around its output's gradient.
std::int64_t input_halo(const Window& window);
std::int64_t gradient_halo(const Window& window, const Shape& input, const Shape& output);

/// The present connections of a layer, in the order of the layer's weights (hence by output), and
/// the same by input for the input gradient: the positions of the input that a stride treats alike
/// are a phase, and of every phase only some taps reach an output. Everything is O(present).
struct LayerIndex {
  std::vector<std::int32_t> begin;   ///< [outputs + 1]
  std::vector<std::int32_t> offset;  ///< of the input, in floats, from the window's corner

  struct Phase {
    std::int64_t row = 0;
    std::int64_t column = 0;
    std::vector<std::int32_t> begin;  ///< [inputs + 1], into the two below
  };
  std::vector<Phase> phases;                  ///< stride^2 of them
  std::vector<std::int32_t> gradient_offset;  ///< of the output's gradient, in floats
  std::vector<std::int32_t> source;           ///< the connection's place in the order above
};

/// Throws an Error that names the layer where offsets would exceed their type.
void check_index_range(const LayerPlace& place);

/// Rebuilds `index` for a mask, in the memory it has. `with_input_gradient` false: no phases.
void build_index(const LayerPlace& place, const LayerMask& mask, bool with_input_gradient,
                 LayerIndex& index);

/// Offsets of every connection of one output, present or absent, in order.
std::vector<std::int32_t> all_offsets(const LayerPlace& place);

}  // namespace gcg::sparse
