#include <fmt/format.h>

#include <string_view>

#include "graph/families.h"

namespace gcg {

namespace {

/// The CIFAR residual networks of He et al. 2016, depth 6n + 2: three stages of n blocks at widths
/// w, 2w, 4w. Shortcuts that change shape are 1x1 projections with batch norm.
Network cifar_resnet(std::string_view name, int blocks, const NetworkRequest& request) {
  NetworkBuilder net{std::string(name), request.input};
  std::int32_t x = convolution_norm_relu(net, "stem.", "", 0, request.width, {3, 3, 1, 1});
  std::int64_t channels = request.width;
  for (int stage = 1; stage <= 3; ++stage) {
    const std::int64_t outputs = request.width << (stage - 1);
    for (int block = 1; block <= blocks; ++block) {
      const std::string prefix = fmt::format("stage{}.block{}.", stage, block);
      x = basic_block(net, prefix, x, channels, outputs, stage > 1 && block == 1 ? 2 : 1);
      channels = outputs;
    }
  }
  pooled_classifier(net, x, request.classes);
  return net.finish();
}

}  // namespace

Network build_resnet8(const NetworkRequest& request) { return cifar_resnet("resnet8", 1, request); }
Network build_resnet20(const NetworkRequest& request) {
  return cifar_resnet("resnet20", 3, request);
}
Network build_resnet32(const NetworkRequest& request) {
  return cifar_resnet("resnet32", 5, request);
}
Network build_resnet56(const NetworkRequest& request) {
  return cifar_resnet("resnet56", 9, request);
}

}  // namespace gcg
