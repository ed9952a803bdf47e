#include <fmt/format.h>

#include <string_view>

#include "base/error.h"
#include "graph/families.h"

namespace gcg {

namespace {

constexpr std::int64_t kHeads = 3;
constexpr std::int64_t kMlpRatio = 4;

/// One block of a pre-norm transformer encoder (Dosovitskiy et al. 2021, figure 1): attention and
/// then a perceptron of one hidden layer, each behind a layer norm and beside a shortcut, and each
/// dropped in a share `dropped` of the samples.
std::int32_t encoder_block(NetworkBuilder& net, const std::string& prefix, std::int32_t x,
                           std::int64_t width, double dropped) {
  const auto branch = [&](const char* name, std::int32_t from) {
    return dropped > 0 ? net.drop_path(prefix + name, from, dropped) : from;
  };
  std::int32_t y = net.layer_norm(prefix + "norm1", x);
  const std::int32_t query = net.token_linear(prefix + "query", y, width);
  const std::int32_t key = net.token_linear(prefix + "key", y, width);
  const std::int32_t value = net.token_linear(prefix + "value", y, width);
  y = net.attention(prefix + "attention", query, key, value, kHeads);
  y = net.token_linear(prefix + "projection", y, width);
  x = net.add(prefix + "add1", branch("drop1", y), x);
  y = net.layer_norm(prefix + "norm2", x);
  y = net.gelu(prefix + "gelu", net.token_linear(prefix + "mlp1", y, kMlpRatio * width));
  y = net.token_linear(prefix + "mlp2", y, width);
  return net.add(prefix + "add2", branch("drop2", y), x);
}

/// Patches of `patch` x `patch` pixels, `blocks` blocks, a last layer norm, the class token and its
/// classifier. Every linear layer has biases.
Network vision_transformer(std::string_view name, std::int64_t patch, int blocks,
                           const NetworkRequest& request) {
  if (request.input.height % patch != 0 || request.input.width % patch != 0) {
    throw Error(
        name,
        fmt::format("images of {}x{} pixels have no whole number of patches of {}",
                    request.input.height, request.input.width, patch),
        fmt::format("take another --network, or images whose sides are multiples of {}", patch));
  }
  NetworkBuilder net{std::string(name), request.input};
  std::int32_t x = net.convolution("patches", 0, request.width, {patch, patch, patch, 0}, true);
  x = net.tokens("tokens", x);
  for (int block = 1; block <= blocks; ++block) {
    x = encoder_block(net, fmt::format("block{}.", block), x, request.width,
                      request.stochastic_depth * (block - 1) / (blocks - 1));
  }
  x = net.first_token("class_token", net.layer_norm("norm", x));
  net.linear("classifier", x, request.classes);
  return net.finish();
}

}  // namespace

Network build_deit_tiny(const NetworkRequest& request) {
  return vision_transformer("deit_tiny", 16, 12, request);
}

Network build_vit6_small(const NetworkRequest& request) {
  return vision_transformer("vit6_small", 4, 6, request);
}

}  // namespace gcg
