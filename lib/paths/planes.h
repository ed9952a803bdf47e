#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/network.h"
#include "paths/kernels.h"
#include "topology/mask.h"

namespace gcg {

/// How the path sums read a layer (a convolution; a linear layer is one with a 1x1 kernel on 1x1
/// positions). The layer's input is padded and split by the phase of the stride: plane (i, py, px)
/// holds the padded positions (row * stride + py, column * stride + px) of channel i. Every tap is
/// then a shifted view of one plane: its element for output position (y, x) is at offset(tap) + y *
/// pitch + x. So a sum over positions is one contiguous run over memory, whatever the kernel,
/// stride and padding. Elements of a run beyond the output's width hold sums without meaning, which
/// are skipped when the result is read.
struct PlaneLayout {
  Shape input;
  Shape output;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t phase_rows = 1;         ///< min(stride, kernel height)
  std::int64_t phase_columns = 1;      ///< min(stride, kernel width)
  std::int64_t reach = 0;              ///< largest shift of a tap within its plane
  std::int64_t pitch = 0;              ///< elements between the starts of two rows of a plane
  std::int64_t plane = 0;              ///< elements of a plane
  std::vector<std::int64_t> plane_of;  ///< per element of a unit's weight [inputs][kh][kw]
  std::vector<std::int64_t> shift_of;  ///< its shift within that plane, in [0, reach]

  [[nodiscard]] std::int64_t phases() const { return phase_rows * phase_columns; }
  [[nodiscard]] std::int64_t planes() const { return input.channels * phases(); }
  /// Length of a run over all output positions, rounded up to kPositionStep.
  [[nodiscard]] std::int64_t forward_run() const;
  /// Length of a run over a plane, rounded up to kPositionStep.
  [[nodiscard]] std::int64_t backward_run() const;
};

/// Throws an Error that names the layer if its planes exceed 2^32 elements.
PlaneLayout plane_layout(const Network& network, const Layer& layer);

/// The same for an input with another
/// height and width than in the network.
PlaneLayout plane_layout(const Network& network, const Layer& layer, const Shape& input);

/// Writes the layer's input [channels][height][width] as planes, with zeros as padding. Every
/// forward run that starts at a tap's offset lies inside the buffer.
void fill_planes(const PlaneLayout& layout, std::span<const double> input,
                 std::vector<double>& planes);
/// The inverse, for sums of the backward sweep (rows of backward_run() elements, one per plane).
/// Positions that no tap reads become 0.
void read_planes(const PlaneLayout& layout, std::span<const double> planes,
                 std::span<double> input);

/// Spreads the layer's output to rows of `pitch` columns, with zeros around, so that a backward run
/// shifted back by any tap lies inside the buffer.
void fill_outputs(const PlaneLayout& layout, std::span<const double> output,
                  std::vector<double>& spread);
/// Reads the output from sums of the forward sweep (rows of forward_run() elements, 1 per channel).
void read_outputs(const PlaneLayout& layout, std::span<const double> runs,
                  std::span<double> output);

/// The offset into the planes of every element of a unit's weight.
std::vector<std::uint32_t> tap_offsets(const PlaneLayout& layout);

/// The factor of every connection of a layer: |w|^power, or 1 if `weights` is empty.
struct ConnectionFactors {
  std::span<const float> weights;
  int power = 1;

  /// The square of a float is exact in double, even that of the smallest one.
  double operator()(std::int64_t connection) const {
    if (weights.empty()) {
      return 1;
    }
    const double weight = weights[static_cast<std::size_t>(connection)];
    return power == 2 ? weight * weight : std::abs(weight);
  }
};

/// The present connections of a layer as rows over a flat buffer, in whichever of two forms is the
/// faster at the layer's density; both give the same sums, bit for bit.
struct LayerTaps {
  TapRows sparse;
  std::vector<SharedTapRows> shared;  ///< used if not empty

  /// All rows are equal and only one is stored: the number of copies (0: rows differ).
  std::int64_t copies = 0;

  [[nodiscard]] bool empty() const { return sparse.begin.empty() && shared.empty(); }
};

enum class TapForm : std::uint8_t { sparse, shared };

/// The faster form: shared for densities from two thirds on.
TapForm tap_form(const LayerMask& mask);

/// One row per output channel, over planes. A full layer whose factors are all 1 has one row and
/// its copies.
LayerTaps forward_taps(const PlaneLayout& layout, const LayerMask& mask,
                       const ConnectionFactors& factor, TapForm form);
/// The same connections transposed: one row per plane, over spread outputs.
LayerTaps backward_taps(const PlaneLayout& layout, const LayerMask& mask,
                        const ConnectionFactors& factor, TapForm form);

/// Sums all rows with sum_taps() or sum_shared_taps().
void sum_layer(const LayerTaps& taps, const double* in, std::int64_t positions, double* out);

}  // namespace gcg
