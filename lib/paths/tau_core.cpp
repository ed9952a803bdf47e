#include "paths/tau_core.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/error.h"
#include "base/index.h"
#include "paths/sweep.h"

namespace gcg {

namespace {

/// Shares are compared with tau up to this much: what rounding may take from a sum of shares.
constexpr double kTolerance = 1e-12;

/// Layers from which every path to the output passes another layer.
std::vector<std::size_t> hidden_layers(const Network& network) {
  std::vector<bool> direct(network.nodes.size(), false);  // reaches the output without a layer
  direct.back() = true;
  for (std::size_t n = network.nodes.size(); n-- > 0;) {
    if (direct[n] && network.nodes[n].layer < 0) {
      for (const std::int32_t input : network.nodes[n].inputs) {
        direct[at(input)] = true;
      }
    }
  }
  std::vector<std::size_t> result;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    if (!direct[at(network.layers[l].node)]) {
      result.push_back(l);
    }
  }
  return result;
}

/// before[n][m]: node m lies on a path from the input to n (m != n).
std::vector<std::vector<bool>> nodes_before(const Network& network) {
  std::vector<std::vector<bool>> before(network.nodes.size());
  for (std::size_t n = 0; n < before.size(); ++n) {
    before[n].assign(before.size(), false);
    for (const std::int32_t input : network.nodes[n].inputs) {
      before[n][at(input)] = true;
      for (std::size_t m = 0; m < at(input); ++m) {
        before[n][m] = before[n][m] || before[at(input)][m];
      }
    }
  }
  return before;
}

/// The path sums of a network whose units are removed one by one, recomputed where and when they
/// are asked for: a removal changes the complexity of the nodes behind and the generality of the
/// nodes before it, and nothing else.
class ThinnedPaths {
 public:
  ThinnedPaths(const Network& network, const Parameters& parameters, const Mask& mask,
               const PathOptions& options)
      : network_(network),
        sweep_(network, parameters, mask, options, true),
        before_(nodes_before(network)),
        complexity_(network.nodes.size()),
        generality_(network.nodes.size()),
        stale_complexity_(network.nodes.size(), true),
        stale_generality_(network.nodes.size(), true),
        removed_(network.layers.size()) {
    refresh_complexity(network.nodes.size() - 1);
    const BinaryScaled& output = complexity_.back();
    for (const double value : output.values) {
      total_ += value;
    }
    total_exponent_ = output.exponent;
  }

  [[nodiscard]] bool empty() const { return total_ == 0; }

  /// Share of the first path weight that still passes each unit of a layer.
  std::vector<double> shares(std::size_t layer) {
    const auto n = at(network_.layers[layer].node);
    refresh_complexity(n);
    refresh_generality(n);
    const std::int64_t positions = network_.nodes[n].shape.positions();
    const std::int64_t exponent =
        complexity_[n].exponent + generality_[n].exponent - total_exponent_;
    std::vector<double> result(at(network_.layers[layer].outputs));
    for (std::size_t u = 0; u < result.size(); ++u) {
      const double* c = complexity_[n].values.data() + at(positions) * u;
      const double* g = generality_[n].values.data() + at(positions) * u;
      double sum = 0;
      for (std::int64_t p = 0; p < positions; ++p) {
        sum += c[p] * g[p];
      }
      result[u] = std::ldexp(sum / total_,
                             static_cast<int>(std::clamp<std::int64_t>(exponent, -4000, 4000)));
    }
    return result;
  }

  /// Takes the unit's paths away.
  void remove(std::size_t layer, std::size_t unit) {
    const auto n = at(network_.layers[layer].node);
    removed_[layer].push_back(unit);
    silence(n, complexity_[n]);
    silence(n, generality_[n]);
    for (std::size_t m = 0; m < network_.nodes.size(); ++m) {
      stale_complexity_[m] = stale_complexity_[m] || before_[m][n];
      stale_generality_[m] = stale_generality_[m] || before_[n][m];
    }
  }

  /// Whether a path can pass units of both layers: only then does a removal in one change the
  /// other.
  [[nodiscard]] bool on_one_path(std::size_t a, std::size_t b) const {
    const auto m = at(network_.layers[a].node);
    const auto n = at(network_.layers[b].node);
    return before_[m][n] || before_[n][m];
  }

 private:
  void silence(std::size_t n, BinaryScaled& array) const {
    if (network_.nodes[n].layer >= 0 && !array.values.empty()) {
      const std::int64_t positions = network_.nodes[n].shape.positions();
      for (const std::size_t unit : removed_[at(network_.nodes[n].layer)]) {
        std::fill_n(array.values.data() + at(positions) * unit, positions, 0.0);
      }
    }
  }

  void refresh_complexity(std::size_t n) {
    for (std::size_t m = 0; m <= n; ++m) {
      if (stale_complexity_[m] && (m == n || before_[n][m])) {
        complexity_[m] = sweep_.forward(m, complexity_);
        silence(m, complexity_[m]);
        stale_complexity_[m] = false;
      }
    }
  }

  void refresh_generality(std::size_t n) {
    for (std::size_t m = network_.nodes.size(); m-- > n;) {
      if (stale_generality_[m] && (m == n || before_[m][n])) {
        generality_[m] = sweep_.backward(m, generality_);
        silence(m, generality_[m]);
        stale_generality_[m] = false;
      }
    }
  }

  const Network& network_;
  PathSweep sweep_;
  std::vector<std::vector<bool>> before_;
  std::vector<BinaryScaled> complexity_;
  std::vector<BinaryScaled> generality_;
  std::vector<bool> stale_complexity_;
  std::vector<bool> stale_generality_;
  std::vector<std::vector<std::size_t>> removed_;  ///< units per layer
  double total_ = 0;                               ///< first path weight / 2^total_exponent_
  std::int64_t total_exponent_ = 0;
};

struct LayerShares {
  std::size_t layer = 0;
  std::vector<double> shares;
  bool exact = false;  ///< else an upper bound: a removal elsewhere may have lowered it
};

}  // namespace

TauCore tau_core(const Network& network, const Parameters& parameters, const Mask& mask, double tau,
                 const PathOptions& options) {
  if (!(tau > 0 && tau < 1)) {
    throw Error("tau-core", fmt::format("tau = {} is not in (0, 1)", tau));
  }
  ThinnedPaths paths(network, parameters, mask, options);
  TauCore core;
  if (paths.empty()) {
    return core;
  }
  std::vector<LayerShares> layers;
  for (const std::size_t l : hidden_layers(network)) {
    layers.push_back({l, paths.shares(l), true});
  }
  // Lazy greedy: removing units only lowers what passes the others, so an old share is an upper
  // bound. A layer is evaluated anew only when its bound is the largest of all; the unit taken is
  // the one the plain greedy search takes. Units of one layer share no path: removing one leaves
  // the other shares of its layer exact.
  while (core.covered < tau - kTolerance) {
    LayerShares* best_layer = nullptr;
    std::size_t best_unit = 0;
    double best = 0;
    for (LayerShares& candidate : layers) {
      const auto largest = std::max_element(candidate.shares.begin(), candidate.shares.end());
      if (*largest > best) {
        best = *largest;
        best_layer = &candidate;
        best_unit = at(largest - candidate.shares.begin());
      }
    }
    if (best_layer == nullptr) {
      break;
    }
    if (!best_layer->exact) {
      best_layer->shares = paths.shares(best_layer->layer);
      best_layer->exact = true;
      continue;
    }
    core.units += 1;
    core.covered += best;
    best_layer->shares[best_unit] = 0;
    paths.remove(best_layer->layer, best_unit);
    for (LayerShares& other : layers) {
      other.exact = other.exact && !paths.on_one_path(best_layer->layer, other.layer);
    }
  }
  return core;
}

std::int64_t narrowest_layer(const Network& network) {
  std::int64_t units = std::numeric_limits<std::int64_t>::max();
  const std::vector<std::size_t> hidden = hidden_layers(network);
  for (const std::size_t l : hidden) {
    units = std::min(units, network.layers[l].outputs);
  }
  return hidden.empty() ? 0 : units;
}

}  // namespace gcg
