#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "graph/parameters.h"
#include "paths/sums.h"
#include "topology/scalar_paths.h"

namespace gcg::testing {

/// Normal weights, a tenth of them zero, and normalisations of every sign and size.
inline Parameters random_parameters(const Network& network, RandomStream& stream) {
  Parameters parameters = zero_slots(network);
  for (std::vector<float>& weights : parameters.weights) {
    for (float& weight : weights) {
      weight = stream.uniform() < 0.1 ? 0.0F : static_cast<float>(stream.normal());
    }
  }
  for (const Node& node : network.nodes) {
    if (node.norm < 0) {
      continue;
    }
    NormParameters& norm = parameters.norms[node.norm];
    for (float& scale : norm.scale) {
      scale = static_cast<float>(stream.normal());
      if (node.operation == Operation::layer_norm) {
        continue;
      }
      norm.mean.push_back(static_cast<float>(stream.normal()));
      norm.variance.push_back(static_cast<float>(stream.uniform() * 2));
    }
  }
  return parameters;
}

inline double value(const ScaledArray& array, std::int64_t i) {
  return array.values[static_cast<std::size_t>(i)] * std::exp(array.log_scale);
}

/// What is said about path sums, computed from the list of all single paths of the dense network by
/// the definitions alone. Only for tiny networks.
class PathReference {
 public:
  PathReference(const Network& network, const Parameters& parameters, const Mask& mask,
                const PathOptions& options)
      : network_(network), parameters_(parameters), mask_(mask), options_(options) {
    fold_norms();
    for_each_path(network, Mask(network, true), [&](std::span<const Step> steps) {
      std::vector<double> factors;
      for (const Step& step : steps) {
        factors.push_back(factor(step));
      }
      paths_.emplace_back(steps.begin(), steps.end());
      factors_.push_back(factors);
    });
  }

  [[nodiscard]] std::size_t paths() const { return paths_.size(); }

  /// Sum over all paths of the product of their factors, but those that visit a unit (layer,
  /// channel) of `removed`.
  [[nodiscard]] double total(const std::set<std::pair<int, std::int64_t>>& removed = {}) const {
    double sum = 0;
    for (std::size_t p = 0; p < paths_.size(); ++p) {
      sum += visits(p, removed) ? 0 : product(p, paths_[p].size(), 0, paths_[p].size());
    }
    return sum;
  }

  /// Per unit (layer, channel): the weight of the paths that visit it and none of `removed`.
  [[nodiscard]] std::map<std::pair<int, std::int64_t>, double> unit_weights(
      const std::set<std::pair<int, std::int64_t>>& removed) const {
    std::map<std::pair<int, std::int64_t>, double> weights;
    for (std::size_t p = 0; p < paths_.size(); ++p) {
      const double weight =
          visits(p, removed) ? 0 : product(p, paths_[p].size(), 0, paths_[p].size());
      for (const Step& step : paths_[p]) {
        if (node(step).layer >= 0) {
          weights[{node(step).layer, step.channel}] += weight;
        }
      }
    }
    return weights;
  }

  /// Per layer and connection of the dense network: the sum over the paths through it of the
  /// product of their other factors.
  [[nodiscard]] std::vector<std::vector<double>> connection_sums() const {
    std::vector<std::vector<double>> sums;
    for (const Layer& layer : network_.layers) {
      sums.emplace_back(layer.connections(), 0.0);
    }
    for (std::size_t p = 0; p < paths_.size(); ++p) {
      for (std::size_t k = 0; k < paths_[p].size(); ++k) {
        const Step& step = paths_[p][k];
        if (node(step).layer >= 0) {
          sums[node(step).layer][step.connection] += product(p, k, 0, paths_[p].size());
        }
      }
    }
    return sums;
  }

  /// Sum over paths of present connections, and over the connections of each, of the product of the
  /// path's other factors.
  [[nodiscard]] double trace() const {
    double sum = 0;
    for (std::size_t p = 0; p < paths_.size(); ++p) {
      const auto absent = [&](const Step& step) {
        return node(step).layer >= 0 && !mask_.layers[node(step).layer].test(step.connection);
      };
      if (std::none_of(paths_[p].begin(), paths_[p].end(), absent)) {
        for (std::size_t k = 0; k < paths_[p].size(); ++k) {
          if (node(paths_[p][k]).layer >= 0) {
            sum += product(p, k, 0, paths_[p].size());
          }
        }
      }
    }
    return sum;
  }

  /// Per node and element: the sum over all different beginnings of paths that end there, and over
  /// all different endings of paths that start there (without the element's own factor).
  struct Sweeps {
    std::vector<std::vector<double>> complexity;
    std::vector<std::vector<double>> generality;
  };
  [[nodiscard]] Sweeps sweeps() const {
    Sweeps sums;
    for (const Node& n : network_.nodes) {
      sums.complexity.emplace_back(n.shape.elements(), 0.0);
      sums.generality.emplace_back(n.shape.elements(), 0.0);
    }
    std::set<std::string> seen;
    for (std::size_t p = 0; p < paths_.size(); ++p) {
      const std::size_t length = paths_[p].size();
      for (std::size_t k = 0; k < length; ++k) {
        const Step& step = paths_[p][k];
        const Shape& shape = node(step).shape;
        const auto element = (step.channel * shape.height + step.y) * shape.width + step.x;
        if (seen.insert("to " + key(p, k, length)).second) {
          sums.complexity[step.node][element] += product(p, length, k, length);
        }
        // The step's own connection is no part of the ending.
        if (seen.insert("from " + key(p, 0, k) + where(step)).second) {
          sums.generality[step.node][element] += product(p, length, 0, k);
        }
      }
    }
    return sums;
  }

 private:
  [[nodiscard]] const Node& node(const Step& step) const { return network_.nodes[step.node]; }

  static std::string where(const Step& step) {
    return std::to_string(step.node) + ":" + std::to_string(step.channel) + ":" +
           std::to_string(step.y) + ":" + std::to_string(step.x);
  }

  [[nodiscard]] std::string key(std::size_t p, std::size_t first, std::size_t last) const {
    std::string text;
    for (std::size_t k = first; k < last; ++k) {
      text += where(paths_[p][k]) + "/" + std::to_string(paths_[p][k].connection) + " ";
    }
    return text;
  }

  [[nodiscard]] bool visits(std::size_t p,
                            const std::set<std::pair<int, std::int64_t>>& units) const {
    return std::any_of(paths_[p].begin(), paths_[p].end(), [&](const Step& step) {
      return units.contains({node(step).layer, step.channel});
    });
  }

  /// Product of the factors of steps [first, last) but step `left_out`.
  [[nodiscard]] double product(std::size_t p, std::size_t left_out, std::size_t first,
                               std::size_t last) const {
    double result = 1;
    for (std::size_t k = first; k < last; ++k) {
      result *= k == left_out ? 1 : factors_[p][k];
    }
    return result;
  }

  [[nodiscard]] double factor(const Step& step) const {
    double result = 1;
    const Node& n = node(step);
    if (n.layer >= 0) {
      result = mask_.layers[n.layer].test(step.connection)
                   ? std::abs(static_cast<double>(parameters_.weights[n.layer][step.connection]))
                   : 0;
    } else if (n.norm >= 0) {
      result = norm_scale_[n.norm][step.channel];
    } else if (n.operation == Operation::average_pool) {
      result = 1.0 / static_cast<double>(n.window.height * n.window.width);
    } else if (n.operation == Operation::max_pool) {
      const Shape& input = network_.nodes[n.inputs[0]].shape;
      int candidates = 0;
      for (std::int64_t ky = 0; ky < n.window.height; ++ky) {
        for (std::int64_t kx = 0; kx < n.window.width; ++kx) {
          const std::int64_t y = step.y * n.window.stride + ky - n.window.padding;
          const std::int64_t x = step.x * n.window.stride + kx - n.window.padding;
          candidates += y >= 0 && x >= 0 && y < input.height && x < input.width ? 1 : 0;
        }
      }
      result = 1.0 / candidates;
    } else if (n.operation == Operation::attention) {
      result = 1.0 / static_cast<double>(n.shape.height);
    } else if (n.operation == Operation::global_average_pool) {
      result = 1.0 / static_cast<double>(network_.nodes[n.inputs[0]].shape.positions());
    }
    return options_.power == 2 ? result * result : result;
  }

  void fold_norms() {
    for (const Node& n : network_.nodes) {
      if (n.norm < 0) {
        continue;
      }
      const NormParameters& norm = parameters_.norms[n.norm];
      std::vector<double> scale;
      if (n.operation == Operation::layer_norm) {
        for (const float gamma : norm.scale) {
          scale.push_back(
              options_.norm == PathNorm::identity ? 1.0 : std::abs(static_cast<double>(gamma)));
        }
        norm_scale_.push_back(scale);
        continue;
      }
      for (std::size_t c = 0; c < norm.scale.size(); ++c) {
        scale.push_back(options_.norm == PathNorm::identity
                            ? 1.0
                            : std::abs(static_cast<double>(norm.scale[c])) /
                                  std::sqrt(static_cast<double>(norm.variance[c]) + 1e-5));
      }
      const Node* before = &network_.nodes[n.inputs[0]];
      while (before->operation == Operation::relu || before->operation == Operation::batch_norm ||
             before->operation == Operation::max_pool ||
             before->operation == Operation::average_pool ||
             before->operation == Operation::global_average_pool) {
        before = &network_.nodes[before->inputs[0]];
      }
      if (before->layer >= 0) {
        const std::int64_t fan_in = network_.layers[before->layer].fan_in();
        std::vector<bool> alive(scale.size(), false);
        mask_.layers[before->layer].for_each_present(
            [&](std::int64_t c) { alive[c / fan_in] = true; });
        std::vector<double> of_alive;
        for (std::size_t c = 0; c < scale.size(); ++c) {
          if (alive[c]) {
            of_alive.push_back(scale[c]);
          }
        }
        std::sort(of_alive.begin(), of_alive.end());
        const std::size_t count = of_alive.size();
        const double median =
            count == 0 ? 1 : (of_alive[(count - 1) / 2] + of_alive[count / 2]) / 2;
        for (std::size_t c = 0; c < scale.size(); ++c) {
          scale[c] = alive[c] ? scale[c] : median;
        }
      }
      norm_scale_.push_back(scale);
    }
  }

  const Network& network_;
  const Parameters& parameters_;
  const Mask& mask_;
  PathOptions options_;
  std::vector<std::vector<double>> norm_scale_;
  std::vector<std::vector<Step>> paths_;
  std::vector<std::vector<double>> factors_;
};

}  // namespace gcg::testing
