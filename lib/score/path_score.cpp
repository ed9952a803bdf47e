#include "score/path_score.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"

namespace gcg {

void check_sizes(const Network& network, const Scores& scores) {
  if (scores.log_values.size() != network.layers.size()) {
    throw Error(network.name, fmt::format("scores of {} layers, the network has {}",
                                          scores.log_values.size(), network.layers.size()));
  }
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    if (std::ssize(scores.log_values[l]) != network.layers[l].connections()) {
      throw Error(fmt::format("{}: {}", network.name, network.layers[l].name),
                  fmt::format("{} scores for {} connections", scores.log_values[l].size(),
                              network.layers[l].connections()));
    }
  }
}

Scores path_scores(const Network& network, const Parameters& parameters, const Mask& mask,
                   const PathOptions& options) {
  std::vector<ScaledArray> sums = connection_path_sums(network, parameters, mask, options);
  Scores scores;
  scores.log_values.reserve(sums.size());
  for (ScaledArray& layer : sums) {
    for (double& value : layer.values) {
      value = std::log(value) + layer.log_scale;
    }
    scores.log_values.push_back(std::move(layer.values));
  }
  return scores;
}

Scores magnitude_scores(const Network& network, const std::vector<std::vector<float>>& values) {
  if (values.size() != network.layers.size()) {
    throw Error(network.name, fmt::format("values of {} layers, the network has {}", values.size(),
                                          network.layers.size()));
  }
  Scores scores;
  scores.log_values.reserve(values.size());
  for (std::size_t l = 0; l < values.size(); ++l) {
    const Layer& layer = network.layers[l];
    const std::string where = fmt::format("{}: {}", network.name, layer.name);
    if (std::ssize(values[l]) != layer.connections()) {
      throw Error(where, fmt::format("{} values for {} connections", values[l].size(),
                                     layer.connections()));
    }
    std::vector<double> logs(values[l].size());
    for (std::size_t c = 0; c < logs.size(); ++c) {
      if (!std::isfinite(values[l][c])) {
        throw Error(where, fmt::format("value {} is {}", c, values[l][c]),
                    "the training diverged: a smaller learning rate, or a longer warm-up");
      }
      logs[c] = std::log(std::abs(static_cast<double>(values[l][c])));
    }
    scores.log_values.push_back(std::move(logs));
  }
  return scores;
}

Scores uniform_scores(const Network& network) {
  Scores scores;
  scores.log_values.reserve(network.layers.size());
  for (const Layer& layer : network.layers) {
    scores.log_values.emplace_back(static_cast<std::size_t>(layer.connections()), 0.0);
  }
  return scores;
}

Scores synflow_scores(const Network& network, const Parameters& parameters, const Mask& mask,
                      const PathOptions& options) {
  Scores scores = path_scores(network, parameters, mask, options);
  for (std::size_t l = 0; l < scores.log_values.size(); ++l) {
    for (std::size_t c = 0; c < scores.log_values[l].size(); ++c) {
      double& score = scores.log_values[l][c];
      score = mask.layers[l].test(static_cast<std::int64_t>(c))
                  ? score + std::log(std::abs(static_cast<double>(parameters.weights[l][c])))
                  : -std::numeric_limits<double>::infinity();
    }
  }
  return scores;
}

Scores inverted(Scores scores) {
  constexpr double none = -std::numeric_limits<double>::infinity();
  double largest = 0;
  for (std::vector<double>& layer : scores.log_values) {
    for (double& value : layer) {
      value = value == none ? none : -value;
      largest = std::max(largest, value);
    }
  }
  for (std::vector<double>& layer : scores.log_values) {
    for (double& value : layer) {
      value = value == none ? largest + 1 : value;
    }
  }
  return scores;
}

}  // namespace gcg
