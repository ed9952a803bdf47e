#include "graph/networks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "base/error.h"
#include "base/lookup.h"
#include "graph/families.h"

namespace gcg {

namespace {

constexpr std::string_view kLeNet =
    "LeCun et al. 1998, Gradient-based learning applied to document recognition";
constexpr std::string_view kVgg =
    "Simonyan & Zisserman 2015, Very deep convolutional networks for large-scale image recognition";
constexpr std::string_view kResNet = "He et al. 2016, Deep residual learning for image recognition";
constexpr std::string_view kWide = "Zagoruyko & Komodakis 2016, Wide residual networks";
constexpr std::string_view kVit =
    "Dosovitskiy et al. 2021, An image is worth 16x16 words: transformers for image recognition at "
    "scale";
constexpr std::string_view kDeit =
    "Touvron et al. 2021, Training data-efficient image transformers & distillation through "
    "attention";

constexpr std::array<NetworkEntry, 18> kNetworks{{
    {"mlp", "multi-layer perceptron, hidden layers of width and width/3", kLeNet, 300, build_mlp},
    {"lenet5", "two 5x5 convolutions with max pooling, three linear layers", kLeNet, 6,
     build_lenet5},
    {"resnet8", "CIFAR residual network, 3 blocks, projection shortcuts", kResNet, 16,
     build_resnet8},
    {"resnet20", "CIFAR residual network, 9 blocks, projection shortcuts", kResNet, 16,
     build_resnet20},
    {"resnet32", "CIFAR residual network, 15 blocks, projection shortcuts", kResNet, 16,
     build_resnet32},
    {"resnet56", "CIFAR residual network, 27 blocks, projection shortcuts", kResNet, 16,
     build_resnet56},
    {"vgg11", "8 convolutions with batch norm, one linear layer (CIFAR form)", kVgg, 64,
     build_vgg11},
    {"vgg16", "13 convolutions with batch norm, one linear layer (CIFAR form)", kVgg, 64,
     build_vgg16},
    {"vgg19", "16 convolutions with batch norm, one linear layer (CIFAR form)", kVgg, 64,
     build_vgg19},
    {"wrn22_2", "wide residual network, 9 pre-activation blocks, widening 2", kWide, 32,
     build_wrn22_2},
    {"resnet18", "ImageNet residual network, 8 basic blocks", kResNet, 64, build_resnet18},
    {"resnet34", "ImageNet residual network, 16 basic blocks", kResNet, 64, build_resnet34},
    {"resnet50", "ImageNet residual network, 16 bottleneck blocks, stride in the 3x3 (v1.5)",
     kResNet, 64, build_resnet50},
    {"resnet18_small", "resnet18 with a 3x3 stem, for images of 32 to 64 pixels", kResNet, 64,
     build_resnet18_small},
    {"resnet34_small", "resnet34 with a 3x3 stem, for images of 32 to 64 pixels", kResNet, 64,
     build_resnet34_small},
    {"resnet50_small", "resnet50 with a 3x3 stem, for images of 32 to 64 pixels", kResNet, 64,
     build_resnet50_small},
    {"deit_tiny", "vision transformer, patches of 16 pixels, 12 blocks of 3 heads (ImageNet)",
     kDeit, 192, build_deit_tiny, 3, true},
    {"vit6_small",
     "vision transformer, patches of 4 pixels, 6 blocks of 3 heads, for images of 32 pixels", kVit,
     96, build_vit6_small, 3, true},
}};

}  // namespace

std::span<const NetworkEntry> network_table() { return kNetworks; }

const NetworkEntry& network_entry(std::string_view name) {
  return find_row(kNetworks, name, "--network");
}

std::span<const Operation> network_operations(std::string_view name) {
  static const auto all = [] {
    std::map<std::string_view, std::vector<Operation>> operations;
    for (const NetworkEntry& entry : kNetworks) {
      std::vector<Operation>& own = operations[entry.name];
      for (const Node& node : build_network(entry.name, {{3, 32, 32}}).nodes) {
        if (std::ranges::find(own, node.operation) == own.end()) {
          own.push_back(node.operation);
        }
      }
    }
    return operations;
  }();
  return all.at(network_entry(name).name);
}

Network build_network(std::string_view name, NetworkRequest request) {
  const NetworkEntry& entry = network_entry(name);
  if (request.width == 0) {
    request.width = entry.default_width;
  }
  constexpr std::int64_t limit = 1 << 20;  // far above any use, far below an overflow
  if (request.width < 0 || request.width > limit || request.classes < 2 ||
      request.classes > limit) {
    throw Error(name, fmt::format("width {} and {} classes make no network", request.width,
                                  request.classes));
  }
  if (!(request.stochastic_depth >= 0 && request.stochastic_depth < 1) ||
      (request.stochastic_depth > 0 && !entry.stochastic_depth)) {
    throw Error(name, fmt::format("stochastic depth of {}", request.stochastic_depth),
                entry.stochastic_depth ? "choose a share from 0 to below 1"
                                       : "only vision transformers have it here");
  }
  return entry.build(request);
}

}  // namespace gcg
