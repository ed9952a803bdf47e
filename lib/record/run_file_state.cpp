#include <fmt/format.h>
#include <fmt/ranges.h>

#include <numeric>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "record/run_file_state.h"

namespace gcg::run_file {

using hdf5::Extents;
using hdf5::kAny;
using hdf5::link_name;
using hdf5::Object;

namespace {

Extents shape_of(const Layer& layer) {
  return {layer.outputs, layer.inputs, layer.kernel_height, layer.kernel_width};
}

void check_layers(const Object& group, const Network& network, std::size_t found,
                  std::string_view what) {
  if (found != network.layers.size()) {
    throw Error(group.where(), fmt::format("{} of {} layers, the network has {}", what, found,
                                           network.layers.size()));
  }
}

/// One value per channel, the normalisations one behind the other.
void write_norm_values(const Object& group, const std::string& name,
                       const std::vector<NormParameters>& norms,
                       std::vector<float> NormParameters::*member, std::string_view description) {
  std::vector<float> values;
  for (const NormParameters& norm : norms) {
    if ((norm.*member).size() != norm.scale.size()) {
      throw Error(group.where(name), fmt::format("a normalisation of {} channels has {} values",
                                                 norm.scale.size(), (norm.*member).size()));
    }
    values.insert(values.end(), (norm.*member).begin(), (norm.*member).end());
  }
  label(group.write_array<float>(name, values, {std::ssize(values)}), "1", description);
}

void read_norm_values(const Object& group, const std::string& name,
                      std::span<const std::int64_t> channels, std::vector<NormParameters>& norms,
                      std::vector<float> NormParameters::*member) {
  const std::int64_t total = std::accumulate(channels.begin(), channels.end(), std::int64_t{0});
  const std::vector<float> values = group.read_array<float>(name, {total});
  auto next = values.begin();
  for (std::size_t n = 0; n < norms.size(); ++n) {
    (norms[n].*member).assign(next, next + channels[n]);
    next += channels[n];
  }
}

void write_norms(const Object& group, const std::vector<NormParameters>& norms,
                 const std::string& what) {
  std::vector<std::int64_t> channels;
  bool running = false;
  for (const NormParameters& norm : norms) {
    channels.push_back(std::ssize(norm.scale));
    running = running || !norm.mean.empty() || !norm.variance.empty();
  }
  label(group.write_array<std::int64_t>("channels", channels, {std::ssize(channels)}), "channels",
        "channels of every normalisation, in the network's order");
  write_norm_values(group, "scale", norms, &NormParameters::scale, what + "gamma");
  write_norm_values(group, "shift", norms, &NormParameters::shift, what + "beta");
  if (running) {
    write_norm_values(group, "mean", norms, &NormParameters::mean, "running mean");
    write_norm_values(group, "variance", norms, &NormParameters::variance,
                      "running variance, unbiased");
  }
}

std::vector<NormParameters> read_norms(const Object& group, const Network& network) {
  const std::vector<std::int64_t> channels =
      group.read_array<std::int64_t>("channels", {network.norm_count});
  for (const std::int64_t count : channels) {
    if (count < 0 || count > (std::int64_t{1} << 32)) {
      throw Error(group.where("channels"), fmt::format("a normalisation of {} channels", count));
    }
  }
  std::vector<NormParameters> norms(channels.size());
  read_norm_values(group, "scale", channels, norms, &NormParameters::scale);
  read_norm_values(group, "shift", channels, norms, &NormParameters::shift);
  if (group.has("mean")) {
    read_norm_values(group, "mean", channels, norms, &NormParameters::mean);
    read_norm_values(group, "variance", channels, norms, &NormParameters::variance);
  }
  return norms;
}

void write_tokens(const Object& group, const TokenParameters& tokens, const std::string& what) {
  const std::int64_t channels = std::ssize(tokens.class_token);
  const std::int64_t count = std::ssize(tokens.positions) / channels;
  if (count * channels != std::ssize(tokens.positions)) {
    throw Error(group.where("positions"),
                fmt::format("{} values for {} channels", tokens.positions.size(), channels));
  }
  label(group.write_array<float>("class_token", tokens.class_token, {channels}), "1",
        what + "class token");
  label(group.write_array<float>("positions", tokens.positions, {channels, count}), "1",
        what + "position table, the class token's first");
}

TokenParameters read_tokens(const Object& group) {
  TokenParameters tokens;
  tokens.class_token = group.read_array<float>("class_token", {kAny});
  tokens.positions = group.read_array<float>("positions", {std::ssize(tokens.class_token), kAny});
  return tokens;
}

/// `what` begins the descriptions: empty for the parameters themselves.
void write_parameters(const Object& group, const Network& network, const Parameters& parameters,
                      const std::string& what) {
  const Object weights = group.create_group("weights");
  label(weights, "1", what + "weight of every connection, zero where absent");
  check_layers(weights, network, parameters.weights.size(), "weights");
  const Object biases = group.create_group("biases");
  label(biases, "1", what + "bias of every output channel; layers without bias are left out");
  check_layers(biases, network, parameters.biases.size(), "biases");
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    const std::string name = link_name(layer.name);
    weights.write_array<float>(name, parameters.weights[l], shape_of(layer));
    if (!parameters.biases[l].empty()) {
      biases.write_array<float>(name, parameters.biases[l], {layer.outputs});
    }
  }
  write_norms(group.create_group("norms"), parameters.norms, what);
  if (!parameters.tokens.class_token.empty()) {
    write_tokens(group.create_group("tokens"), parameters.tokens, what);
  }
}

Parameters read_parameters(const Object& group, const Network& network) {
  Parameters parameters;
  const Object weights = group.open_group("weights");
  const Object biases = group.open_group("biases");
  for (const Layer& layer : network.layers) {
    const std::string name = link_name(layer.name);
    parameters.weights.push_back(weights.read_array<float>(name, shape_of(layer)));
    parameters.biases.push_back(biases.has(name) ? biases.read_array<float>(name, {layer.outputs})
                                                 : std::vector<float>());
  }
  parameters.norms = read_norms(group.open_group("norms"), network);
  if (group.has("tokens")) {
    parameters.tokens = read_tokens(group.open_group("tokens"));
  }
  return parameters;
}

std::vector<std::uint8_t> packed(const LayerMask& mask) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>((mask.size() + 7) / 8));
  for (std::size_t b = 0; b < bytes.size(); ++b) {
    bytes[b] = static_cast<std::uint8_t>(mask.words()[b / 8] >> (8 * (b % 8)));
  }
  return bytes;
}

LayerMask read_layer_mask(const Object& group, const Layer& layer) {
  const std::string name = link_name(layer.name);
  const std::int64_t size = layer.connections();
  const std::vector<std::uint8_t> bytes = group.read_array<std::uint8_t>(name, {(size + 7) / 8});
  if (size % 8 != 0 && (bytes.back() >> (size % 8)) != 0) {
    throw Error(group.where(name),
                fmt::format("a bit behind the last of {} connections is set", size));
  }
  std::vector<std::uint64_t> words(static_cast<std::size_t>((size + 63) / 64));
  for (std::size_t b = 0; b < bytes.size(); ++b) {
    words[b / 8] |= std::uint64_t{bytes[b]} << (8 * (b % 8));
  }
  LayerMask mask(size, std::move(words));
  const Object array = group.open_array(name);
  if (array.read_list_attribute("shape", 4) != shape_of(layer)) {
    throw Error(group.where(name), "its attribute shape is not the layer's");
  }
  if (const auto present = array.read_attribute<std::int64_t>("present"); present != mask.count()) {
    throw Error(group.where(name), fmt::format("{} bits are set, its attribute present says {}",
                                               mask.count(), present));
  }
  return mask;
}

}  // namespace

void label(const Object& object, std::string_view unit, std::string_view description) {
  object.write_attribute("unit", std::string(unit));
  object.write_attribute("description", std::string(description));
}

std::string stage_name(std::int64_t stage) { return fmt::format("stage_{:03}", stage); }

void write_mask(const Object& group, const Network& network, const Mask& mask) {
  check_sizes(network, mask);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const std::vector<std::uint8_t> bytes = packed(mask.layers[l]);
    const Object array = group.write_array<std::uint8_t>(link_name(network.layers[l].name), bytes,
                                                         {std::ssize(bytes)});
    array.write_list_attribute("shape", shape_of(network.layers[l]));
    array.write_attribute("present", mask.layers[l].count());
  }
}

Mask read_mask(const Object& group, const Network& network) {
  Mask mask;
  for (const Layer& layer : network.layers) {
    mask.layers.push_back(read_layer_mask(group, layer));
  }
  return mask;
}

void write_state(const Object& group, const Network& network, const TrainingState& state) {
  write_parameters(group.create_group("values"), network, state.values, "");
  const Object mask = group.create_group("mask");
  label(mask, "1", "present connections, one bit each, lowest bit first");
  write_mask(mask, network, state.mask);
  const Object slots = group.create_group("slots");
  std::vector<std::string> names;
  for (const Slot& slot : state.slots) {
    write_parameters(slots.create_group(link_name(slot.name)), network, slot.values,
                     slot.name + " of the ");
    names.push_back(slot.name);
  }
  slots.write_attribute("order", fmt::format("{}", fmt::join(names, " ")));
  slots.write_attribute("updates", state.updates);
}

TrainingState read_state(const Object& group, const Network& network) {
  TrainingState state;
  state.values = read_parameters(group.open_group("values"), network);
  state.mask = read_mask(group.open_group("mask"), network);
  const Object slots = group.open_group("slots");
  std::istringstream names(slots.read_text_attribute("order"));
  for (std::string name; names >> name;) {
    state.slots.push_back({name, read_parameters(slots.open_group(link_name(name)), network)});
  }
  state.updates = slots.read_attribute<std::int64_t>("updates");
  if (state.updates < 0) {
    throw Error(slots.where(), fmt::format("{} updates", state.updates));
  }
  return state;
}

}  // namespace gcg::run_file
