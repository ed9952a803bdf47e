#include "score/gradient_score.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace gcg {

namespace {

void check_gradients(const Network& network, const ConnectionValues& gradients) {
  if (gradients.size() != network.layers.size()) {
    throw Error(network.name, fmt::format("gradients of {} layers, the network has {}",
                                          gradients.size(), network.layers.size()));
  }
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    const std::string where = fmt::format("{}: {}", network.name, layer.name);
    if (std::ssize(gradients[l]) != layer.connections()) {
      throw Error(where, fmt::format("{} gradients for {} connections", gradients[l].size(),
                                     layer.connections()));
    }
    const auto bad = std::find_if_not(gradients[l].begin(), gradients[l].end(),
                                      [](float value) { return std::isfinite(value); });
    if (bad != gradients[l].end()) {
      throw Error(where, fmt::format("the gradient of connection {} is {}",
                                     bad - gradients[l].begin(), *bad));
    }
  }
}

/// The mean over batches of what `source` gives for the number of one.
template <typename Source>
ConnectionValues mean_over_batches(std::uint64_t first, std::int64_t count, Source source) {
  ConnectionValues mean = source(first);
  if (count == 1) {
    return mean;
  }
  std::vector<std::vector<double>> sums;
  for (const std::vector<float>& layer : mean) {
    sums.emplace_back(layer.begin(), layer.end());
  }
  for (std::int64_t batch = 1; batch < count; ++batch) {
    const ConnectionValues more = source(first + static_cast<std::uint64_t>(batch));
    for (std::size_t l = 0; l < sums.size(); ++l) {
      std::transform(sums[l].begin(), sums[l].end(), more[l].begin(), sums[l].begin(),
                     [](double sum, float value) { return sum + static_cast<double>(value); });
    }
  }
  for (std::size_t l = 0; l < sums.size(); ++l) {
    std::transform(sums[l].begin(), sums[l].end(), mean[l].begin(), [&](double sum) {
      return static_cast<float>(sum / static_cast<double>(count));
    });
  }
  return mean;
}

}  // namespace

ConnectionValues mean_gradients(const GradientSource& source, const TrainingState& state,
                                std::uint64_t first, std::int64_t count) {
  if (!source || count < 1) {
    throw Error("gradients", source ? fmt::format("the mean of {} batches", count)
                                    : "this score needs training images, and there are none here");
  }
  return mean_over_batches(first, count, [&](std::uint64_t batch) { return source(state, batch); });
}

Scores snip_scores(const Network& network, const TrainingState& state,
                   const ConnectionValues& gradients) {
  check_gradients(network, gradients);
  Scores weights = magnitude_scores(network, state.values.weights);
  for (std::size_t l = 0; l < gradients.size(); ++l) {
    std::transform(weights.log_values[l].begin(), weights.log_values[l].end(), gradients[l].begin(),
                   weights.log_values[l].begin(), [](double log_weight, float gradient) {
                     return log_weight + std::log(std::abs(static_cast<double>(gradient)));
                   });
  }
  return weights;
}

ConnectionValues hessian_gradient_product(const Network& network, const GradientSource& gradients,
                                          const CurvatureSource& curvature,
                                          const TrainingState& state, std::uint64_t first,
                                          std::int64_t count) {
  ConnectionValues gradient = mean_gradients(gradients, state, first, count);
  check_gradients(network, gradient);
  if (!curvature) {
    throw Error("second derivatives", "this score needs them, and there are none here");
  }
  for (std::size_t l = 0; l < gradient.size(); ++l) {
    for (std::size_t c = 0; c < gradient[l].size(); ++c) {
      if (!state.mask.layers[l].test(static_cast<std::int64_t>(c))) {
        gradient[l][c] = 0;
      }
    }
  }
  return mean_over_batches(first, count,
                           [&](std::uint64_t batch) { return curvature(state, gradient, batch); });
}

Scores grasp_scores(const Network& network, const TrainingState& state,
                    const ConnectionValues& product) {
  check_gradients(network, product);
  Scores scores;
  double smallest = std::numeric_limits<double>::infinity();
  for (std::size_t l = 0; l < product.size(); ++l) {
    std::vector<double>& layer = scores.log_values.emplace_back(product[l].size());
    for (std::size_t c = 0; c < layer.size(); ++c) {
      layer[c] =
          static_cast<double>(state.values.weights[l][c]) * static_cast<double>(product[l][c]);
      if (!std::isfinite(layer[c])) {
        throw Error(
            fmt::format("{}: {}", network.name, network.layers[l].name),
            fmt::format("the weight of connection {} is {}", c, state.values.weights[l][c]));
      }
      smallest = std::min(smallest, layer[c]);
    }
  }
  for (std::vector<double>& layer : scores.log_values) {
    for (double& value : layer) {
      value = std::log(value - smallest);
    }
  }
  return scores;
}

}  // namespace gcg
