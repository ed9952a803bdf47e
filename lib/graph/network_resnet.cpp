#include <fmt/format.h>

#include <array>
#include <string_view>

#include "graph/families.h"

namespace gcg {

namespace {

enum class Stem : std::uint8_t {
  large,  ///< 7x7 convolution of stride 2 and 3x3 max pooling of stride 2, for ImageNet
  small,  ///< one 3x3 convolution, for images of 32 to 64 pixels
};

/// The bottleneck block of He et al. 2016 with the stride in the 3x3 convolution (known as v1.5):
/// 1x1 to `inner` channels, 3x3, 1x1 to four times as many.
std::int32_t bottleneck_block(NetworkBuilder& net, const std::string& prefix, std::int32_t from,
                              std::int64_t inputs, std::int64_t inner, std::int64_t stride) {
  const std::int64_t outputs = 4 * inner;
  std::int32_t y = convolution_norm_relu(net, prefix, "1", from, inner, {1, 1, 1, 0});
  y = convolution_norm_relu(net, prefix, "2", y, inner, {3, 3, stride, 1});
  y = net.convolution(prefix + "conv3", y, outputs, {1, 1, 1, 0});
  y = net.batch_norm(prefix + "norm3", y);
  std::int32_t shortcut = from;
  if (stride != 1 || inputs != outputs) {
    shortcut = projection_shortcut(net, prefix, from, outputs, stride);
  }
  return net.relu(prefix + "relu3", net.add(prefix + "add", y, shortcut));
}

/// The ImageNet residual networks of He et al. 2016: four stages at widths w, 2w, 4w, 8w, of basic
/// or bottleneck blocks.
Network resnet(std::string_view name, Stem stem, bool bottleneck, const std::array<int, 4>& blocks,
               const NetworkRequest& request) {
  NetworkBuilder net{std::string(name), request.input};
  const Window window = stem == Stem::large ? Window{7, 7, 2, 3} : Window{3, 3, 1, 1};
  std::int32_t x = convolution_norm_relu(net, "stem.", "", 0, request.width, window);
  if (stem == Stem::large) {
    x = net.max_pool("stem.pool", x, {3, 3, 2, 1});
  }
  std::int64_t channels = request.width;
  for (int stage = 1; stage <= 4; ++stage) {
    const std::int64_t inner = request.width << (stage - 1);
    for (int block = 1; block <= blocks[static_cast<std::size_t>(stage - 1)]; ++block) {
      const std::string prefix = fmt::format("stage{}.block{}.", stage, block);
      const std::int64_t stride = stage > 1 && block == 1 ? 2 : 1;
      x = bottleneck ? bottleneck_block(net, prefix, x, channels, inner, stride)
                     : basic_block(net, prefix, x, channels, inner, stride);
      channels = bottleneck ? 4 * inner : inner;
    }
  }
  pooled_classifier(net, x, request.classes);
  return net.finish();
}

}  // namespace

Network build_resnet18(const NetworkRequest& request) {
  return resnet("resnet18", Stem::large, false, {2, 2, 2, 2}, request);
}
Network build_resnet34(const NetworkRequest& request) {
  return resnet("resnet34", Stem::large, false, {3, 4, 6, 3}, request);
}
Network build_resnet50(const NetworkRequest& request) {
  return resnet("resnet50", Stem::large, true, {3, 4, 6, 3}, request);
}
Network build_resnet18_small(const NetworkRequest& request) {
  return resnet("resnet18_small", Stem::small, false, {2, 2, 2, 2}, request);
}
Network build_resnet34_small(const NetworkRequest& request) {
  return resnet("resnet34_small", Stem::small, false, {3, 4, 6, 3}, request);
}
Network build_resnet50_small(const NetworkRequest& request) {
  return resnet("resnet50_small", Stem::small, true, {3, 4, 6, 3}, request);
}

}  // namespace gcg
