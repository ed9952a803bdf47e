#pragma once

#include <cstdint>
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

/// Where a tap of a window meets the positions of the input in its phase (see LayerIndex): it is
/// the output that lies so many rows and columns behind theirs, counted in steps of the stride.
struct Meeting {
  std::int64_t phase = 0;
  std::int64_t row_shift = 0;
  std::int64_t column_shift = 0;
};
/// Per tap.
std::vector<Meeting> meetings(const LayerPlace& place);
/// Of the output's gradient at that place, in floats; in bf16 `plane` is a pair of channels.
std::int32_t gradient_offset(const LayerPlace& place, const Meeting& met, std::int64_t plane);

/// Taps by rows, in runs (see Taps), without their values.
struct Rows {
  std::int64_t passes = 1;
  std::vector<std::int32_t> cut;  ///< [passes + 1][rows]
};

/// The present connections of a layer in the order of its weights, hence by output, and the same by
/// phase and input for the input gradient. The positions (y, x) of the input that a stride treats
/// alike are a phase, number y mod stride * stride + x mod stride: only some taps of a window meet
/// them. Everything is O(present).
struct LayerIndex {
  Rows outputs;
  std::vector<std::int32_t> offset;           ///< of the input, in floats, from the window's corner
  std::vector<Rows> inputs;                   ///< per phase, into the two below
  std::vector<std::int32_t> gradient_offset;  ///< of the output's gradient, in floats
  std::vector<std::int32_t> source;           ///< the connection's place in the order above
};

/// The taps of every output of a layer that has all its connections, and of every input: the same
/// for all of them.
struct AllIndex {
  std::vector<std::int32_t> offset;  ///< [fan_in]
  struct Inputs {
    std::vector<std::int32_t> gradient_offset;  ///< [outputs x taps that meet the phase]
    std::vector<std::int32_t> source;           ///< of input 0, into the weights
  };
  std::vector<Inputs> inputs;  ///< per phase
};

/// Throws an Error that names the layer where offsets would exceed their type.
void check_index_range(const LayerPlace& place);

/// Rebuilds `index` for a mask, in the memory it has. `with_input_gradient` false: no phases.
void build_index(const LayerPlace& place, const LayerMask& mask, bool with_input_gradient,
                 LayerIndex& index);

AllIndex all_index(const LayerPlace& place, bool with_inputs);

}  // namespace gcg::sparse
