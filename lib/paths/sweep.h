#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/network.h"
#include "graph/parameters.h"
#include "paths/planes.h"
#include "paths/sums.h"
#include "topology/mask.h"

namespace gcg {

/// A non-negative array whose true value is values[i] * 2^exponent. The scale is a power of two, so
/// that changing it rounds nothing. Sweeps use it inside; ScaledArray is its public form.
struct BinaryScaled {
  std::vector<double> values;
  std::int64_t exponent = 0;
};

/// The same with a logarithmic scale.
ScaledArray scaled_array(BinaryScaled array);

/// Adds `term` to `sum`, both brought to the larger of their scales. An empty sum becomes the term.
void accumulate(BinaryScaled& sum, const BinaryScaled& term);

/// The linear network whose paths are counted, node by node: layers multiply by |w|^power at
/// present connections, normalisations by their scale, poolings by 1 / (number of positions),
/// attention by 1 / tokens; everything else passes its input on. After every node, magnitudes
/// outside of [2^-64, 2^64] are moved into the exponent, so that the factors of one node (|w| <
/// 2^128, squared; fan-in) never leave the range of a double.
class PathSweep {
 public:
  /// `keep_taps` keeps the rows of every layer for the next sweep
  /// (at most 24 bytes per present connection and direction)
  /// instead of making them again. Errors: as for path_sums().
  PathSweep(const Network& network, const Parameters& parameters, const Mask& mask,
            const PathOptions& options, bool keep_taps = false);

  /// The output of node n from the outputs of earlier nodes; ones at the input. With `consume` the
  /// node may take over the array of its first input instead of copying it.
  BinaryScaled forward(std::size_t n, std::span<BinaryScaled> outputs, bool consume = false);
  /// The same for a layer's node if every present connection had factor 1.
  BinaryScaled forward_ones(std::size_t n, std::span<const BinaryScaled> outputs);
  /// The generality of node n's output from that of its readers; ones at the last node. With
  /// `consume` the arrays of readers with one input may be taken over.
  BinaryScaled backward(std::size_t n, std::span<BinaryScaled> generality, bool consume = false);

 private:
  void fold_norm(const Node& node, const NormParameters& norm);
  [[nodiscard]] ConnectionFactors factors(std::size_t layer) const;
  /// With the layer's own factors, or with ones.
  BinaryScaled through_layer(const Node& node, const BinaryScaled& input, bool ones);
  BinaryScaled back_through_layer(const Node& node, const LayerTaps& taps,
                                  const BinaryScaled& generality);
  /// The contribution of one reader to the generality of its input.
  BinaryScaled adjoint(const Node& reader, BinaryScaled& generality, bool consume);
  void scale_channels(const Node& norm, BinaryScaled& array) const;

  const Network& network_;
  const Parameters& parameters_;
  const Mask& mask_;
  PathOptions options_;
  bool keep_taps_;
  std::vector<std::vector<std::int32_t>> readers_;
  std::vector<PlaneLayout> layouts_;             ///< per layer
  std::vector<std::vector<double>> norm_scale_;  ///< per norm and channel, to the power
  /// Rows of a layer, kept for the next sweep if its input is squeezed to the same size.
  struct KeptTaps {
    LayerTaps taps;  ///< empty if not kept
    Shape input;
  };
  std::vector<KeptTaps> forward_taps_;  ///< per layer
  std::vector<LayerTaps> backward_taps_;
  std::vector<double> in_;  ///< scratch of one layer, allocated once
  std::vector<double> out_;
};

}  // namespace gcg
