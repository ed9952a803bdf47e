#include <fmt/format.h>

#include <array>
#include <string_view>

#include "graph/families.h"

namespace gcg {

namespace {

/// The CIFAR form of the networks of Simonyan & Zisserman 2015: five groups of 3x3 convolutions
/// with batch norm at widths w, 2w, 4w, 8w, 8w, each followed by 2x2 max pooling, then one linear
/// layer. Convolutions have no bias, which batch norm would take away again. What is left of an
/// input larger than 32x32 is averaged.
Network vgg(std::string_view name, const std::array<int, 5>& convolutions,
            const NetworkRequest& request) {
  NetworkBuilder net{std::string(name), request.input};
  std::int32_t x = 0;
  for (int group = 1; group <= 5; ++group) {
    const std::int64_t outputs = request.width << (group < 5 ? group - 1 : 3);
    const std::string prefix = fmt::format("group{}.", group);
    for (int k = 1; k <= convolutions[static_cast<std::size_t>(group - 1)]; ++k) {
      x = convolution_norm_relu(net, prefix, fmt::format("{}", k), x, outputs, {3, 3, 1, 1});
    }
    x = net.max_pool(prefix + "pool", x, {2, 2, 2, 0});
  }
  pooled_classifier(net, x, request.classes);
  return net.finish();
}

}  // namespace

Network build_vgg11(const NetworkRequest& request) {
  return vgg("vgg11", {1, 1, 2, 2, 2}, request);
}
Network build_vgg16(const NetworkRequest& request) {
  return vgg("vgg16", {2, 2, 3, 3, 3}, request);
}
Network build_vgg19(const NetworkRequest& request) {
  return vgg("vgg19", {2, 2, 4, 4, 4}, request);
}

}  // namespace gcg
