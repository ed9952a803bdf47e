#include "graph/networks.h"

#include <fmt/format.h>

#include <array>

#include "base/error.h"
#include "base/lookup.h"

namespace gcg {

namespace {

Network mlp(const NetworkRequest& request) {
  NetworkBuilder net("mlp", request.input);
  std::int32_t x = 0;
  if (request.input.positions() != 1) {
    x = net.flatten("flatten", x);
  }
  x = net.relu("relu1", net.linear("fc1", x, request.width));
  x = net.relu("relu2", net.linear("fc2", x, std::max<std::int64_t>(1, request.width / 3)));
  net.linear("fc3", x, request.classes);
  return net.finish();
}

Network lenet5(const NetworkRequest& request) {
  // 32x32 inputs are taken as they are; smaller ones (28x28) are padded to keep the 400 features.
  const std::int64_t padding = request.input.height < 32 ? 2 : 0;
  const Window pool{2, 2, 2, 0};
  NetworkBuilder net("lenet5", request.input);
  std::int32_t x = net.convolution("conv1", 0, request.width, {5, 5, 1, padding}, true);
  x = net.max_pool("pool1", net.relu("relu1", x), pool);
  x = net.convolution("conv2", x, request.width * 16 / 6, {5, 5, 1, 0}, true);
  x = net.max_pool("pool2", net.relu("relu2", x), pool);
  x = net.flatten("flatten", x);
  x = net.relu("relu3", net.linear("fc1", x, request.width * 20));
  x = net.relu("relu4", net.linear("fc2", x, request.width * 14));
  net.linear("fc3", x, request.classes);
  return net.finish();
}

/// The CIFAR residual networks of He et al. 2016, depth 6n + 2: three stages of n blocks at widths
/// w, 2w, 4w. Shortcuts that change shape are 1x1 projections with batch norm.
Network cifar_resnet(std::string_view name, int blocks, const NetworkRequest& request) {
  NetworkBuilder net{std::string(name), request.input};
  std::int32_t x = net.convolution("stem.conv", 0, request.width, {3, 3, 1, 1});
  x = net.relu("stem.relu", net.batch_norm("stem.norm", x));
  std::int64_t channels = request.width;
  for (int stage = 1; stage <= 3; ++stage) {
    const std::int64_t outputs = request.width << (stage - 1);
    for (int block = 1; block <= blocks; ++block) {
      const std::string prefix = fmt::format("stage{}.block{}.", stage, block);
      const std::int64_t stride = stage > 1 && block == 1 ? 2 : 1;
      std::int32_t y = net.convolution(prefix + "conv1", x, outputs, {3, 3, stride, 1});
      y = net.relu(prefix + "relu1", net.batch_norm(prefix + "norm1", y));
      y = net.convolution(prefix + "conv2", y, outputs, {3, 3, 1, 1});
      y = net.batch_norm(prefix + "norm2", y);
      std::int32_t shortcut = x;
      if (stride != 1 || channels != outputs) {
        shortcut = net.convolution(prefix + "projection", x, outputs, {1, 1, stride, 0});
        shortcut = net.batch_norm(prefix + "projection_norm", shortcut);
      }
      x = net.relu(prefix + "relu2", net.add(prefix + "add", y, shortcut));
      channels = outputs;
    }
  }
  x = net.global_average_pool("pool", x);
  net.linear("classifier", x, request.classes);
  return net.finish();
}

Network resnet8(const NetworkRequest& request) { return cifar_resnet("resnet8", 1, request); }
Network resnet20(const NetworkRequest& request) { return cifar_resnet("resnet20", 3, request); }

constexpr std::string_view kResNet = "He et al. 2016, Deep residual learning for image recognition";
constexpr std::string_view kLeNet =
    "LeCun et al. 1998, Gradient-based learning applied to document recognition";

constexpr std::array<NetworkEntry, 4> kNetworks{{
    {"mlp", "multi-layer perceptron, hidden layers of width and width/3", kLeNet, 300, mlp},
    {"lenet5", "two 5x5 convolutions with max pooling, three linear layers", kLeNet, 6, lenet5},
    {"resnet8", "CIFAR residual network, 3 blocks, projection shortcuts", kResNet, 16, resnet8},
    {"resnet20", "CIFAR residual network, 9 blocks, projection shortcuts", kResNet, 16, resnet20},
}};

}  // namespace

std::span<const NetworkEntry> network_table() { return kNetworks; }

Network build_network(std::string_view name, NetworkRequest request) {
  const NetworkEntry& entry = find_row(kNetworks, name, "--network");
  if (request.width == 0) {
    request.width = entry.default_width;
  }
  constexpr std::int64_t limit = 1 << 20;  // far above any use, far below an overflow
  if (request.width < 0 || request.width > limit || request.classes < 2 ||
      request.classes > limit) {
    throw Error(name, fmt::format("width {} and {} classes make no network", request.width,
                                  request.classes));
  }
  return entry.build(request);
}

}  // namespace gcg
