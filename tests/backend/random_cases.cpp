#include "backend/random_cases.h"

#include <algorithm>
#include <utility>

#include "backend/slots.h"
#include "base/error.h"
#include "base/random.h"
#include "graph/networks.h"

namespace gcg {

namespace {

Network linear_only() {
  NetworkBuilder net("linear_only", {5});
  net.linear("fc", 0, 3);
  return net.finish();
}

Network strided_convolutions() {
  NetworkBuilder net("strided_convolutions", {3, 7, 6});
  std::int32_t x = net.relu("relu1", net.convolution("conv1", 0, 5, {3, 3, 2, 1}, true));
  x = net.relu("relu2", net.convolution("conv2", x, 4, {1, 1, 1, 0}));
  x = net.relu("relu3", net.convolution("conv3", x, 6, {3, 1, 1, 0}, true));
  x = net.convolution("conv4", x, 3, {1, 2, 2, 1});
  net.linear("fc", net.flatten("flatten", x), 4, false);
  return net.finish();
}

Network wide_padding() {
  NetworkBuilder net("wide_padding", {2, 5, 4});
  std::int32_t x = net.convolution("conv1", 0, 3, {5, 5, 1, 4});
  x = net.convolution("conv2", x, 3, {4, 3, 3, 2}, true);
  net.linear("fc", net.global_average_pool("pool", x), 3);
  return net.finish();
}

Network pools() {
  NetworkBuilder net("pools", {3, 9, 8});
  std::int32_t x = net.max_pool("max1", 0, {2, 2, 1, 0});
  x = net.relu("relu", net.convolution("conv", x, 4, {3, 3, 1, 1}, true));
  x = net.max_pool("max2", x, {3, 3, 2, 1});
  x = net.average_pool("mean1", x, {2, 3, 1, 1});
  x = net.average_pool("mean2", x, {2, 2, 2, 0});
  net.linear("fc", net.flatten("flatten", x), 4);
  return net.finish();
}

Network normalised_vectors() {
  NetworkBuilder net("normalised_vectors", {6});
  std::int32_t x = net.relu("relu1", net.batch_norm("norm0", 0));
  x = net.batch_norm("norm1", net.linear("fc1", x, 7));
  x = net.relu("relu2", x);
  x = net.linear("fc2", x, 5);
  x = net.add("add", x, net.relu("relu3", x));
  net.batch_norm("norm2", net.linear("fc3", x, 3));
  return net.finish();
}

Network residual() {
  NetworkBuilder net("residual", {3, 6, 6});
  const std::int32_t stem =
      net.relu("relu0", net.batch_norm("norm0", net.convolution("conv0", 0, 4, {3, 3, 1, 1})));
  std::int32_t y = net.batch_norm("norm1", net.convolution("conv1", stem, 4, {3, 3, 1, 1}));
  const std::int32_t first = net.relu("relu1", net.add("add1", y, stem));
  y = net.relu("relu2", net.batch_norm("norm2", net.convolution("conv2", first, 6, {3, 3, 2, 1})));
  y = net.batch_norm("norm3", net.convolution("conv3", y, 6, {3, 3, 1, 1}));
  const std::int32_t shortcut =
      net.batch_norm("norm4", net.convolution("projection", first, 6, {1, 1, 2, 0}));
  const std::int32_t second = net.relu("relu3", net.add("add2", shortcut, y));
  net.linear("fc", net.global_average_pool("pool", second), 5);
  return net.finish();
}

/// Tensors with several readers in every order, sums of sums, a sum of a tensor with itself.
Network shared_tensors() {
  NetworkBuilder net("shared_tensors", {2, 4, 4});
  const std::int32_t a = net.convolution("conv1", 0, 3, {3, 3, 1, 1}, true);
  const std::int32_t b = net.batch_norm("norm1", a);
  const std::int32_t c = net.add("add1", b, a);
  const std::int32_t d = net.add("add2", c, b);
  const std::int32_t e = net.add("add3", d, d);
  const std::int32_t f = net.relu("relu1", e);
  const std::int32_t g = net.add("add4", f, net.convolution("conv2", f, 3, {1, 1, 1, 0}));
  const std::int32_t h = net.relu("relu2", net.relu("relu3", g));
  const std::int32_t i = net.add("add5", h, net.relu("relu4", net.average_pool("mean", g, {1, 1})));
  net.linear("fc", net.flatten("flatten", i), 3);
  return net.finish();
}

/// Convolutions of vectors, logits that are a sum of a pooled tensor and a linear layer.
Network mixed_outputs() {
  NetworkBuilder net("mixed_outputs", {3, 4, 5});
  const std::int32_t x = net.relu("relu1", net.convolution("conv1", 0, 4, {3, 3, 1, 0}));
  const std::int32_t pooled = net.global_average_pool("pool", x);
  const std::int32_t hidden = net.relu("relu2", net.linear("fc1", pooled, 4));
  const std::int32_t vector = net.convolution("conv2", hidden, 4, {1, 1, 1, 0}, true);
  net.relu("relu3", net.add("add", net.linear("fc2", vector, 4), pooled));
  return net.finish();
}

}  // namespace

std::vector<Network> small_networks() {
  std::vector<Network> networks{linear_only(),    strided_convolutions(), wide_padding(),
                                pools(),          normalised_vectors(),   residual(),
                                shared_tensors(), mixed_outputs()};
  networks.push_back(build_network("mlp", {{2, 3, 3}, 4, 9}));
  networks.push_back(build_network("lenet5", {{1, 28, 28}, 10, 3}));
  networks.push_back(build_network("resnet8", {{3, 12, 12}, 10, 4}));
  return networks;
}

std::vector<Network> small_transformers() {
  std::vector<Network> networks;
  // Patches that are not square, heads of several channels, tensors with several readers, one that
  // is query, key and value at once.
  NetworkBuilder net("mixed_tokens", {2, 4, 6});
  std::int32_t x = net.batch_norm("norm0", net.convolution("patches", 0, 6, {2, 3, 2, 0}, true));
  x = net.tokens("tokens", x);
  std::int32_t y = net.layer_norm("norm1", x);
  const std::int32_t query = net.token_linear("query", y, 6);
  const std::int32_t value = net.token_linear("value", y, 6, false);
  y = net.attention("attention1", query, y, value, 3);
  y = net.drop_path("drop1", net.token_linear("projection", y, 6), 0.3);
  x = net.add("add1", y, x);
  y = net.gelu("gelu1", net.token_linear("mlp1", net.layer_norm("norm2", x), 5));
  x = net.add("add2", x, net.drop_path("drop2", net.token_linear("mlp2", y, 6), 0.3));
  y = net.drop_path("drop3", net.attention("attention2", x, x, x, 1), 0.3);
  x = net.layer_norm("norm3",
                     net.first_token("class_token", net.add("add3", net.relu("relu", y), x)));
  net.linear("classifier", net.gelu("gelu2", x), 4);
  networks.push_back(net.finish());
  networks.push_back(build_network("vit6_small", {{3, 8, 8}, 10, 6, 0.3}));
  // As many tokens as are taken block by block, and more than are scored at a time.
  NetworkBuilder many("many_tokens", {3, 8, 8});
  x = many.tokens("tokens", many.convolution("patches", 0, 4, {1, 1, 1, 0}, true));
  x = many.layer_norm("norm1", many.add("add0", many.token_linear("first", x, 4), x));
  y = many.attention("attention", many.token_linear("query", x, 4), many.token_linear("key", x, 4),
                     many.token_linear("value", x, 4, false), 2);
  x = many.add("add1", many.token_linear("projection", many.gelu("gelu1", y), 4), x);
  y = many.gelu("gelu2", many.token_linear("mlp1", many.layer_norm("norm2", x), 7));
  x = many.add("add2", many.token_linear("mlp2", y, 4), x);
  many.linear("classifier", many.first_token("class_token", many.layer_norm("norm3", x)), 3);
  networks.push_back(many.finish());
  return networks;
}

std::vector<Network> all_small_networks() {
  std::vector<Network> networks = small_transformers();
  for (Network& network : small_networks()) {
    networks.push_back(std::move(network));
  }
  return networks;
}

TrainingState random_state(const Network& network, double density, std::uint64_t seed) {
  Mask mask(network, true);
  RandomStream stream(seed, "random-state");
  for (LayerMask& layer : mask.layers) {
    for (std::int64_t i = 0; i < layer.size(); ++i) {
      if (stream.uniform() >= density) {
        layer.reset(i);
      }
    }
  }
  TrainingState state = initial_state(network, mask, seed);
  state.slots = empty_slots(network, find_optimiser("sgd"));
  Parameters& momentum = state.slots[0].values;
  const auto fill = [&](std::vector<float>& values, double centre, double deviation) {
    for (float& value : values) {
      value = static_cast<float>(centre + deviation * stream.normal());
    }
  };
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    fill(state.values.biases[l], 0, 0.3);
    fill(momentum.weights[l], 0, 0.1);
    fill(momentum.biases[l], 0, 0.1);
  }
  for (std::size_t k = 0; k < state.values.norms.size(); ++k) {
    NormParameters& norm = state.values.norms[k];
    fill(norm.scale, 1, 0.2);
    fill(norm.shift, 0, 0.3);
    fill(norm.mean, 0, 0.5);  // empty of a layer normalisation, as the variance
    std::ranges::generate(norm.variance,
                          [&]() { return static_cast<float>(0.5 + stream.uniform()); });
    fill(momentum.norms[k].scale, 0, 0.1);
    fill(momentum.norms[k].shift, 0, 0.1);
  }
  for (auto* tokens : {&state.values.tokens, &momentum.tokens}) {
    fill(tokens->class_token, 0, 0.3);
    fill(tokens->positions, 0, 0.3);
  }
  clear_absent(state);
  return state;
}

OptimiserStep sgd_step(double learning_rate, double momentum, bool nesterov, double weight_decay) {
  OptimiserSettings settings;
  settings.numbers["momentum"] = momentum;
  settings.switches["nesterov"] = nesterov;
  settings.numbers["weight-decay"] = weight_decay;
  return make_step("sgd", learning_rate, settings);
}

OptimiserStep default_step(std::string_view optimiser, double learning_rate) {
  return make_step(optimiser, learning_rate, {});
}

Network network_with(Operation operation) {
  NetworkBuilder net(std::string(operation_name(operation)), {3, 4, 4});
  std::int32_t x = net.convolution("conv", 0, 4, {1, 1, 1, 0});
  const auto tokens = [&] { return net.tokens("tokens", x); };
  // Without default: a new operation does not compile before it has its network.
  switch (operation) {
    case Operation::input:
    case Operation::convolution:
    case Operation::linear:
    case Operation::global_average_pool:
      break;
    case Operation::batch_norm:
      x = net.batch_norm("it", x);
      break;
    case Operation::relu:
      x = net.relu("it", x);
      break;
    case Operation::add:
      x = net.add("it", x, net.convolution("other", 0, 4, {1, 1, 1, 0}));
      break;
    case Operation::max_pool:
      x = net.max_pool("it", x, {2, 2, 2, 0});
      break;
    case Operation::average_pool:
      x = net.average_pool("it", x, {2, 2, 2, 0});
      break;
    case Operation::flatten:
      net.linear("fc", net.flatten("it", x), 3);
      return net.finish();
    case Operation::layer_norm:
      x = net.layer_norm("it", x);
      break;
    case Operation::gelu:
      x = net.gelu("it", x);
      break;
    case Operation::drop_path:
      x = net.drop_path("it", x, 0.3);
      break;
    case Operation::tokens:
    case Operation::first_token:
      net.linear("fc", net.first_token("first", tokens()), 3);
      return net.finish();
    case Operation::attention: {
      x = tokens();
      net.linear("fc", net.first_token("first", net.attention("it", x, x, x, 2)), 3);
      return net.finish();
    }
  }
  net.linear("fc", net.global_average_pool("pool", x), 3);
  return net.finish();
}

std::vector<Operation> all_operations() {
  std::vector<Operation> all;
  for (std::uint8_t i = 0;; ++i) {
    try {
      (void)operation_name(static_cast<Operation>(i));
    } catch (const Error&) {
      return all;  // operation_name knows every one: it does not compile otherwise
    }
    all.push_back(static_cast<Operation>(i));
  }
}

OwnedBatch random_batch(const Network& network, std::int64_t samples, std::uint64_t seed) {
  RandomStream stream(seed, "random-batch");
  OwnedBatch batch;
  batch.images.resize(static_cast<std::size_t>(samples * network.input_shape().elements()));
  batch.labels.resize(static_cast<std::size_t>(samples));
  std::ranges::generate(batch.images, [&]() { return static_cast<float>(stream.normal()); });
  std::ranges::generate(batch.labels, [&]() {
    return static_cast<std::int32_t>(stream.below(static_cast<std::uint64_t>(network.classes())));
  });
  return batch;
}

OwnedBatch soft_batch(const Network& network, std::int64_t samples, std::uint64_t seed) {
  OwnedBatch batch = random_batch(network, samples, seed);
  RandomStream stream(seed, "soft-batch");
  batch.label_smoothing = 0.1;
  batch.second_share = 0.3;
  for (std::int64_t s = 0; s < samples; ++s) {
    const auto classes = static_cast<std::uint64_t>(network.classes());
    batch.second_labels.push_back(static_cast<std::int32_t>(stream.below(classes)));
  }
  for (std::int64_t i = 0; i < network.drop_count * samples; ++i) {
    batch.branch_factors.push_back(stream.below(3) == 0 ? 0.0F : 1.5F);
  }
  return batch;
}

bool has_variance(const Network& network, std::int64_t samples) {
  return std::ranges::none_of(network.nodes, [&](const Node& node) {
    return node.operation == Operation::batch_norm && samples * node.shape.positions() < 2;
  });
}

}  // namespace gcg
