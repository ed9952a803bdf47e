#pragma once

#include <cstdint>
#include <vector>

#include "graph/network.h"
#include "graph/parameters.h"
#include "topology/mask.h"

namespace gcg {

/// The factor that a normalisation contributes to a path.
enum class PathNorm : std::uint8_t {
  folded,    ///< |gamma| / sqrt(running variance + eps); a unit without present
             ///< incoming connections (of the layer before) takes the median of
             ///< its node's other channels. For a layer norm only |gamma|: its
             ///< variance is that of a sample, and without data there is none
  identity,  ///< 1 (ablation)
};

struct PathOptions {
  PathNorm norm = PathNorm::folded;
  int power = 1;  ///< 1: |w|; 2: w^2 (factors of normalisation and average pooling squared too)
};

/// A non-negative array [channels][height][width] with a common scale: the true value is values[i]
/// * exp(log_scale). This keeps deep networks free of overflow and underflow; only values more than
/// 250 orders of magnitude below the largest of their array become 0.
struct ScaledArray {
  std::vector<double> values;
  double log_scale = 0;
};

/// Path weights of a network with non-negative weights and without activations, per node and
/// position. Branches add. Average pooling averages; max pooling counts as the average of its
/// window without padding, which never wins a maximum. No path starts at a bias, shift, class token
/// or position table. Attention mixes its tokens uniformly: channel c of its output is, at every
/// token, the mean over the tokens of the sum of channel c of Q, K and V. So Q and K count as value
/// paths of their head in parallel to V, channel by channel.
struct PathSums {
  /// complexity[n]: sum over all paths from the inputs (all ones) to the node's output.
  std::vector<ScaledArray> complexity;
  /// generality[n]: sum over all paths from the node's output to the sum of the network's outputs.
  std::vector<ScaledArray> generality;
  /// log of the sum over all input-output paths (the path norm); -inf if there is none.
  double log_path_norm = 0;
};

/// One forward and one backward sweep over present connections: O(present x positions). Errors: NaN
/// or infinite present weights or normalisation factors (names the layer), sizes that do not fit, a
/// power other than 1 or 2.
PathSums path_sums(const Network& network, const Parameters& parameters, const Mask& mask,
                   const PathOptions& options = {});

/// Only the path norm, the same bits, by a forward sweep.
double log_path_norm(const Network& network, const Parameters& parameters, const Mask& mask,
                     const PathOptions& options = {});

/// Per layer, for every connection, present or absent, [outputs][inputs][kh][kw]: the sum over all
/// input-output paths through it of the product of the factors of the *other* connections on the
/// path. That is the sum over positions p of complexity(source, p + tap) x generality(target, p),
/// with the real padding. Each layer has a common scale, as in ScaledArray.
std::vector<ScaledArray> connection_path_sums(const Network& network, const PathSums& sums);

/// The same bits without keeping the sums of the nodes: each is freed when the sweeps have passed
/// it. That takes a fraction of the memory and less time.
std::vector<ScaledArray> connection_path_sums(const Network& network, const Parameters& parameters,
                                              const Mask& mask, const PathOptions& options = {});

/// Natural logarithm of the trace of the path kernel at the present weights (Gebhart et al. 2021;
/// Patil & Dovrolis 2021); -inf if there is no path. The trace is the sum, over all input-output
/// paths of present connections and over the connections i of each path, of the product of w_j^2
/// over its other connections j, with normalisation and pooling factors squared. Each path counts
/// by itself, even if several share the taps of a convolution. This equals the sum of
/// connection_path_sums() with power 2 over the present connections, whatever options.power is.
///
/// So a new connection c of weight 0 raises the trace by exactly its own connection_path_sums() of
/// power 2; one of weight w by that plus w^2 times the share of the others on its paths.
double log_path_kernel_trace(const Network& network, const Parameters& parameters, const Mask& mask,
                             const PathOptions& options = {});

/// FLOPs of connection_path_sums(): a forward and a backward sweep over present connections (one
/// sample) and the products at every connection, present or absent. A multiply-add counts 2.
double path_score_flops(const Network& network, const Mask& mask);

}  // namespace gcg
