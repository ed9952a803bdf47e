#include "paths/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/index.h"
#include "paths/squeeze.h"

namespace gcg {

namespace {

constexpr std::int64_t kExponentLimit = 64;

/// Largest of non-negative elements. Eight running maxima, because the compiler may not reorder a
/// single one and would take an element at a time.
double largest_of(std::span<const double> values) {
  std::array<double, 8> lanes{};
  std::size_t k = 0;
  for (; k + lanes.size() <= values.size(); k += lanes.size()) {
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
      lanes[lane] = std::max(lanes[lane], values[k + lane]);
    }
  }
  for (; k < values.size(); ++k) {
    lanes[0] = std::max(lanes[0], values[k]);
  }
  return *std::max_element(lanes.begin(), lanes.end());
}

/// Moves the magnitude of the largest element into the exponent where it leaves the comfortable
/// range. Zeros stay zero; an array of zeros has the exponent 0.
void normalise(BinaryScaled& array) {
  const double largest = largest_of(array.values);
  if (largest == 0) {
    array.exponent = 0;
    return;
  }
  const int exponent = std::ilogb(largest);
  if (std::abs(exponent) > kExponentLimit) {
    const double factor = std::ldexp(1.0, -exponent);
    for (double& value : array.values) {
      value *= factor;
    }
    array.exponent += exponent;
  }
}

bool all_zero(const BinaryScaled& array) {
  return std::all_of(array.values.begin(), array.values.end(), [](double v) { return v == 0; });
}

double to_power(double value, int power) { return power == 2 ? value * value : value; }

/// Calls f(output position, input position, factor) for every pair of positions of one channel that
/// a pooling connects.
template <typename F>
void for_each_pooled(const Node& node, const Shape& input, int power, F f) {
  const Window window = node.operation == Operation::global_average_pool
                            ? Window{input.height, input.width, 1, 0}
                            : node.window;
  for (std::int64_t y = 0; y < node.shape.height; ++y) {
    const std::int64_t top = y * window.stride - window.padding;
    const std::int64_t y0 = std::max<std::int64_t>(top, 0);
    const std::int64_t y1 = std::min(top + window.height, input.height);
    for (std::int64_t x = 0; x < node.shape.width; ++x) {
      const std::int64_t left = x * window.stride - window.padding;
      const std::int64_t x0 = std::max<std::int64_t>(left, 0);
      const std::int64_t x1 = std::min(left + window.width, input.width);
      // Padding counts in the divisor of an average, it never wins a maximum.
      const std::int64_t count = node.operation == Operation::max_pool
                                     ? (y1 - y0) * (x1 - x0)
                                     : window.height * window.width;
      const double factor = to_power(1.0 / static_cast<double>(count), power);
      for (std::int64_t iy = y0; iy < y1; ++iy) {
        for (std::int64_t ix = x0; ix < x1; ++ix) {
          f(at(y * node.shape.width + x), at(iy * input.width + ix), factor);
        }
      }
    }
  }
}

/// Per channel, at every position, the sum over all positions times the factor of a mean.
void spread_means(const Shape& shape, int power, std::vector<double>& values) {
  const std::int64_t positions = shape.positions();
  const double factor = to_power(1.0 / static_cast<double>(positions), power);
  for (std::int64_t c = 0; c < shape.channels; ++c) {
    const auto begin = values.begin() + c * positions;
    const double sum = std::accumulate(begin, begin + positions, 0.0);
    std::fill_n(begin, positions, factor * sum);
  }
}

/// Channels of `from` positions, cut or extended to `to` positions: `count` of them, from `first`
/// on in the input, go to `target` and on in the output; the others of the output are 0.
std::vector<double> moved_positions(std::span<const double> values, std::int64_t from,
                                    std::int64_t to, std::int64_t first, std::int64_t target,
                                    std::int64_t count) {
  const std::int64_t channels = std::ssize(values) / from;
  std::vector<double> result(at(channels * to), 0.0);
  for (std::int64_t c = 0; c < channels; ++c) {
    std::copy_n(values.begin() + c * from + first, count, result.begin() + c * to + target);
  }
  return result;
}

/// The layer whose units a normalisation scales: its input, through operations that keep channels
/// apart; -1 where an addition, the input or a flattening comes first.
std::int32_t layer_before(const Network& network, const Node& norm) {
  for (const Node* node = &norm;;) {
    node = &network.nodes[at(node->inputs[0])];
    switch (node->operation) {
      case Operation::convolution:
      case Operation::linear:
        return node->layer;
      case Operation::input:
      case Operation::add:
      case Operation::flatten:
      case Operation::attention:
        return -1;
      case Operation::batch_norm:
      case Operation::relu:
      case Operation::max_pool:
      case Operation::average_pool:
      case Operation::global_average_pool:
      case Operation::layer_norm:
      case Operation::gelu:
      case Operation::tokens:
      case Operation::first_token:
      case Operation::drop_path:
        break;
    }
  }
}

/// Per unit: whether any incoming connection is present.
std::vector<bool> units_with_input(const Layer& layer, const LayerMask& mask) {
  std::vector<bool> result(at(layer.outputs), false);
  for (std::int64_t o = 0; o < layer.outputs; ++o) {
    for (std::int64_t c = o * layer.fan_in(); c < (o + 1) * layer.fan_in() && !result[at(o)]; ++c) {
      result[at(o)] = mask.test(c);
    }
  }
  return result;
}

/// Mean of the two middle values where their number is even; 1 of none.
double median(std::vector<double> values) {
  if (values.empty()) {
    return 1;
  }
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : values[half - 1] / 2 + values[half] / 2;
}

}  // namespace

ScaledArray scaled_array(BinaryScaled array) {
  return {std::move(array.values), static_cast<double>(array.exponent) * std::log(2.0)};
}

void accumulate(BinaryScaled& sum, const BinaryScaled& term) {
  if (sum.values.empty()) {
    sum = term;
    return;
  }
  double factor = 1;
  if (sum.exponent != term.exponent) {
    if (all_zero(term)) {
      return;
    }
    if (all_zero(sum)) {
      sum = term;
      return;
    }
    const auto scale = [](std::int64_t difference) {
      return std::ldexp(1.0, static_cast<int>(std::max<std::int64_t>(difference, -4000)));
    };
    if (term.exponent > sum.exponent) {
      const double down = scale(sum.exponent - term.exponent);
      for (double& value : sum.values) {
        value *= down;
      }
      sum.exponent = term.exponent;
    } else {
      factor = scale(term.exponent - sum.exponent);
    }
  }
  for (std::size_t k = 0; k < sum.values.size(); ++k) {
    sum.values[k] += factor * term.values[k];
  }
}

PathSweep::PathSweep(const Network& network, const Parameters& parameters, const Mask& mask,
                     const PathOptions& options, bool keep_taps)
    : network_(network),
      parameters_(parameters),
      mask_(mask),
      options_(options),
      keep_taps_(keep_taps),
      readers_(network.readers()),
      norm_scale_(at(network.norm_count)),
      forward_taps_(network.layers.size()),
      backward_taps_(network.layers.size()) {
  check_sizes(network, mask);
  check_sizes(network, parameters);
  if (options.power != 1 && options.power != 2) {
    throw Error("path sums", fmt::format("the power is {}, not 1 or 2", options.power));
  }
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    layouts_.push_back(plane_layout(network, layer));
    mask.layers[l].for_each_present([&](std::int64_t c) {
      if (!std::isfinite(parameters.weights[l][at(c)])) {
        throw Error(fmt::format("{}: {}", network.name, layer.name),
                    fmt::format("weight {} is {}", c, parameters.weights[l][at(c)]),
                    "the training diverged: a smaller learning rate, or a longer warm-up");
      }
    });
  }
  for (const Node& node : network.nodes) {
    if (node.norm >= 0) {
      fold_norm(node, parameters.norms[at(node.norm)]);
    }
  }
}

void PathSweep::fold_norm(const Node& node, const NormParameters& norm) {
  std::vector<double>& scale = norm_scale_[at(node.norm)];
  scale.assign(at(node.shape.channels), 1.0);
  if (options_.norm == PathNorm::identity) {
    return;
  }
  const std::string where = fmt::format("{}: {}", network_.name, node.name);
  const bool running = node.operation == Operation::batch_norm;
  if (running && norm.variance.empty()) {
    throw Error(where, "has no running variance",
                "path sums need a network's parameters, not the slots of an optimiser");
  }
  for (std::size_t k = 0; k < scale.size(); ++k) {
    const double variance = running ? static_cast<double>(norm.variance[k]) : 0;
    const double deviation = running ? std::sqrt(variance + kNormEpsilon) : 1;
    scale[k] = std::abs(static_cast<double>(norm.scale[k])) / deviation;
    if (!std::isfinite(scale[k]) || !std::isfinite(variance) || variance < 0) {
      throw Error(where,
                  fmt::format("channel {} has the scale {}{}", k, norm.scale[k],
                              running ? fmt::format(" and the running variance {}", variance) : ""),
                  "the training diverged: a smaller learning rate, or a longer warm-up");
    }
  }
  if (const std::int32_t l = layer_before(network_, node); running && l >= 0) {
    // Without input the running variance decays to 0 and its inverse says nothing.
    const std::vector<bool> alive = units_with_input(network_.layers[at(l)], mask_.layers[at(l)]);
    std::vector<double> of_alive;
    for (std::size_t k = 0; k < scale.size(); ++k) {
      if (alive[k]) {
        of_alive.push_back(scale[k]);
      }
    }
    const double substitute = median(std::move(of_alive));
    for (std::size_t k = 0; k < scale.size(); ++k) {
      if (!alive[k]) {
        scale[k] = substitute;
      }
    }
  }
  for (double& value : scale) {
    value = to_power(value, options_.power);
  }
}

ConnectionFactors PathSweep::factors(std::size_t layer) const {
  return {parameters_.weights[layer], options_.power};
}

BinaryScaled PathSweep::through_layer(const Node& node, const BinaryScaled& input, bool ones) {
  const std::size_t l = at(node.layer);
  const LayerMask& mask = mask_.layers[l];
  const Squeeze small = squeeze(input.values, layouts_[l].input, layouts_[l].output, node.window);
  const bool smaller = small.smaller_than(layouts_[l].input);
  const PlaneLayout squeezed_layout =
      smaller ? plane_layout(
                    network_, network_.layers[l],
                    {layouts_[l].input.channels, std::ssize(small.rows), std::ssize(small.columns)})
              : PlaneLayout{};
  const PlaneLayout& layout = smaller ? squeezed_layout : layouts_[l];
  if (smaller) {
    fill_planes(layout, squeezed(input.values, layouts_[l].input, small), in_);
  } else {
    fill_planes(layout, input.values, in_);
  }
  out_.resize(at(layout.output.channels * layout.forward_run()));
  KeptTaps& kept = forward_taps_[l];
  const bool again = !ones && !kept.taps.empty() && kept.input == layout.input;
  LayerTaps taps =
      again ? std::move(kept.taps)
            : forward_taps(layout, mask, ones ? ConnectionFactors{} : factors(l), tap_form(mask));
  sum_layer(taps, in_.data(), layout.forward_run(), out_.data());
  if (keep_taps_ && !ones) {
    kept = {std::move(taps), layout.input};
  }
  BinaryScaled output{std::vector<double>(at(layout.output.elements())), input.exponent};
  read_outputs(layout, out_, output.values);
  if (smaller) {
    output.values = expanded(output.values, layout.output, small);
  }
  normalise(output);
  return output;
}

BinaryScaled PathSweep::back_through_layer(const Node& node, const LayerTaps& taps,
                                           const BinaryScaled& generality) {
  const PlaneLayout& layout = layouts_[at(node.layer)];
  fill_outputs(layout, generality.values, in_);
  out_.resize(at(layout.planes() * layout.backward_run()));
  sum_layer(taps, in_.data(), layout.backward_run(), out_.data());
  BinaryScaled result{std::vector<double>(at(layout.input.elements())), generality.exponent};
  read_planes(layout, out_, result.values);
  normalise(result);
  return result;
}

void PathSweep::scale_channels(const Node& norm, BinaryScaled& array) const {
  const std::int64_t positions = norm.shape.positions();
  for (std::int64_t c = 0; c < norm.shape.channels; ++c) {
    const double scale = norm_scale_[at(norm.norm)][at(c)];
    double* values = array.values.data() + c * positions;
    for (std::int64_t p = 0; p < positions; ++p) {
      values[p] *= scale;
    }
  }
  normalise(array);
}

BinaryScaled PathSweep::forward(std::size_t n, std::span<BinaryScaled> outputs, bool consume) {
  const Node& node = network_.nodes[n];
  if (node.operation == Operation::input) {
    return {std::vector<double>(at(node.shape.elements()), 1.0), 0};
  }
  BinaryScaled& input = outputs[at(node.inputs[0])];
  const Shape& from = network_.nodes[at(node.inputs[0])].shape;
  const auto taken = [&] { return consume ? std::move(input) : input; };
  BinaryScaled result;
  switch (node.operation) {
    case Operation::input:
    case Operation::relu:
    case Operation::gelu:
    case Operation::flatten:
    case Operation::drop_path:
      return taken();
    case Operation::convolution:
    case Operation::linear:
      return through_layer(node, input, false);
    case Operation::tokens:
      return {moved_positions(input.values, from.positions(), node.shape.positions(), 0, 1,
                              from.positions()),
              input.exponent};
    case Operation::first_token:
      return {moved_positions(input.values, from.positions(), 1, 0, 0, 1), input.exponent};
    case Operation::attention:
      result = input;
      accumulate(result, outputs[at(node.inputs[1])]);
      accumulate(result, outputs[at(node.inputs[2])]);
      spread_means(node.shape, options_.power, result.values);
      break;
    case Operation::batch_norm:
    case Operation::layer_norm:
      result = taken();
      scale_channels(node, result);
      return result;
    case Operation::add:
      result = taken();
      accumulate(result, outputs[at(node.inputs[1])]);
      break;
    case Operation::global_average_pool:
    case Operation::max_pool:
    case Operation::average_pool:
      result = {std::vector<double>(at(node.shape.elements()), 0.0), input.exponent};
      for (std::int64_t c = 0; c < from.channels; ++c) {
        const double* in = input.values.data() + c * from.positions();
        double* out = result.values.data() + c * node.shape.positions();
        for_each_pooled(node, from, options_.power,
                        [=](std::size_t o, std::size_t i, double f) { out[o] += f * in[i]; });
      }
      break;
  }
  normalise(result);
  return result;
}

BinaryScaled PathSweep::forward_ones(std::size_t n, std::span<const BinaryScaled> outputs) {
  const Node& node = network_.nodes[n];
  return through_layer(node, outputs[at(node.inputs[0])], true);
}

BinaryScaled PathSweep::adjoint(const Node& reader, BinaryScaled& generality, bool consume) {
  const bool take = consume && reader.inputs.size() == 1;
  const auto taken = [&] { return take ? std::move(generality) : generality; };
  const Shape& to = network_.nodes[at(reader.inputs[0])].shape;
  BinaryScaled result;
  switch (reader.operation) {
    case Operation::input:
    case Operation::relu:
    case Operation::gelu:
    case Operation::flatten:
    case Operation::add:
    case Operation::drop_path:
      return taken();
    case Operation::tokens:
      return {moved_positions(generality.values, reader.shape.positions(), to.positions(), 1, 0,
                              to.positions()),
              generality.exponent};
    case Operation::first_token:
      return {moved_positions(generality.values, 1, to.positions(), 0, 0, 1), generality.exponent};
    case Operation::attention:
      result = generality;
      spread_means(reader.shape, options_.power, result.values);
      break;
    case Operation::convolution:
    case Operation::linear: {
      const std::size_t l = at(reader.layer);
      const LayerMask& mask = mask_.layers[l];
      LayerTaps& kept = backward_taps_[l];
      LayerTaps taps = kept.empty() ? backward_taps(layouts_[l], mask, factors(l), tap_form(mask))
                                    : std::move(kept);
      result = back_through_layer(reader, taps, generality);
      if (keep_taps_) {
        kept = std::move(taps);
      }
      return result;
    }
    case Operation::batch_norm:
    case Operation::layer_norm:
      result = taken();
      scale_channels(reader, result);
      return result;
    case Operation::global_average_pool:
    case Operation::max_pool:
    case Operation::average_pool:
      result = {std::vector<double>(at(to.elements()), 0.0), generality.exponent};
      for (std::int64_t c = 0; c < to.channels; ++c) {
        const double* in = generality.values.data() + c * reader.shape.positions();
        double* out = result.values.data() + c * to.positions();
        for_each_pooled(reader, to, options_.power,
                        [=](std::size_t o, std::size_t i, double f) { out[i] += f * in[o]; });
      }
      break;
  }
  normalise(result);
  return result;
}

BinaryScaled PathSweep::backward(std::size_t n, std::span<BinaryScaled> generality, bool consume) {
  if (n + 1 == network_.nodes.size()) {
    return {std::vector<double>(at(network_.nodes[n].shape.elements()), 1.0), 0};
  }
  BinaryScaled sum;
  for (const std::int32_t reader : readers_[n]) {
    const Node& node = network_.nodes[at(reader)];
    if (sum.values.empty()) {
      sum = adjoint(node, generality[at(reader)], consume);
    } else if (node.operation == Operation::add) {
      accumulate(sum, generality[at(reader)]);
    } else {
      accumulate(sum, adjoint(node, generality[at(reader)], consume));
    }
  }
  normalise(sum);
  return sum;
}

}  // namespace gcg
