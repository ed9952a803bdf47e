#include "paths/statistics.h"

#include <fmt/format.h>

#include <limits>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "paths/sums.h"
#include "paths/tau_core.h"
#include "topology/reachability.h"

namespace gcg {

namespace {

/// Moves each layer's present connections, with their weights, to random positions of the layer.
std::pair<Mask, Parameters> scatter_within_layers(const Mask& mask, const Parameters& parameters,
                                                  RandomStream stream) {
  std::pair<Mask, Parameters> result{mask, parameters};
  for (std::size_t l = 0; l < mask.layers.size(); ++l) {
    const std::vector<float>& from = parameters.weights[l];
    std::vector<float> present;
    mask.layers[l].for_each_present(
        [&](std::int64_t i) { present.push_back(from[static_cast<std::size_t>(i)]); });
    stream.shuffle(std::span(present));
    result.first.layers[l] =
        random_layer(mask.layers[l].size(), static_cast<std::int64_t>(present.size()), stream);
    std::vector<float>& to = result.second.weights[l];
    to.assign(to.size(), 0.0F);
    auto next = present.begin();
    result.first.layers[l].for_each_present(
        [&](std::int64_t i) { to[static_cast<std::size_t>(i)] = *next++; });
  }
  return result;
}

void check_union(const Network& network, const Mask& mask, const Mask& ever) {
  for (std::size_t l = 0; l < mask.layers.size(); ++l) {
    for (std::size_t w = 0; w < mask.layers[l].words().size(); ++w) {
      if ((mask.layers[l].words()[w] & ~ever.layers[l].words()[w]) != 0) {
        throw Error(fmt::format("{}: {}", network.name, network.layers[l].name),
                    "the union of all stages lacks connections of this one");
      }
    }
  }
}

/// Connections per output unit and per input channel.
struct Degrees {
  std::vector<std::int32_t> in;
  std::vector<std::int32_t> out;
};

Degrees degrees(const Layer& layer, const LayerMask& mask) {
  Degrees result{std::vector<std::int32_t>(static_cast<std::size_t>(layer.outputs), 0),
                 std::vector<std::int32_t>(static_cast<std::size_t>(layer.inputs), 0)};
  mask.for_each_present([&](std::int64_t i) {
    ++result.in[static_cast<std::size_t>(i / layer.fan_in())];
    ++result.out[static_cast<std::size_t>(i % layer.fan_in() / layer.taps())];
  });
  return result;
}

std::int64_t zeros(const std::vector<std::int32_t>& values) {
  std::int64_t sum = 0;
  for (const std::int32_t value : values) {
    sum += value == 0 ? 1 : 0;
  }
  return sum;
}

}  // namespace

MaskStatistics mask_measures(const Network& network, const Parameters& parameters, const Mask& mask,
                             const Mask* previous, const Mask& ever) {
  check_sizes(network, parameters);
  check_sizes(network, mask);
  check_sizes(network, ever);
  if (previous != nullptr) {
    check_sizes(network, *previous);
  }
  check_union(network, mask, ever);
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const Reachability reach = reachability(network, mask);

  MaskStatistics result;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    Degrees present = degrees(network.layers[l], mask.layers[l]);
    const Degrees effective = degrees(network.layers[l], reach.effective[l]);
    LayerStatistics layer;
    layer.present = mask.layers[l].count();
    layer.effective = reach.effective[l].count();
    layer.dead_inputs = zeros(effective.out);
    layer.dead_outputs = zeros(effective.in);
    layer.overlap_previous =
        previous == nullptr ? nan : jaccard(mask.layers[l], previous->layers[l]);
    layer.ever_present = ever.layers[l].count();
    layer.in_degree = std::move(present.in);
    layer.out_degree = std::move(present.out);
    result.layers.push_back(std::move(layer));
  }
  result.present = mask.present();
  result.density = mask.density();
  result.effective_density = reach.effective_density();
  result.disconnected_units = reach.disconnected_units();
  result.fewest_live_channels = reach.fewest_live_channels;
  result.overlap_previous = previous == nullptr ? nan : jaccard(mask, *previous);
  result.ever_present_share = ever.density();
  result.log_path_norm = log_path_norm(network, parameters, mask);
  result.log_path_kernel_trace = log_path_kernel_trace(network, parameters, mask);
  result.inference_flops = forward_flops(network, mask.counts());
  result.narrowest_layer = narrowest_layer(network);
  return result;
}

MaskStatistics mask_statistics(const Network& network, const Parameters& parameters,
                               const Mask& mask, const Mask* previous, const Mask& ever,
                               const StatisticsRequest& request) {
  MaskStatistics result = mask_measures(network, parameters, mask, previous, ever);
  result.tau_core_units = tau_core(network, parameters, mask, request.tau).units;
  const auto [random_mask, random_parameters] = scatter_within_layers(
      mask, parameters, RandomStream(request.seed, "statistics-random-mask", request.stage));
  result.tau_core_units_random =
      tau_core(network, random_parameters, random_mask, request.tau).units;
  return result;
}

}  // namespace gcg
