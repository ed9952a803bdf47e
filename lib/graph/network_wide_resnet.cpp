#include <fmt/format.h>

#include "graph/families.h"

namespace gcg {

namespace {

/// The pre-activation block of Zagoruyko & Komodakis 2016: normalisation and ReLU stand before each
/// of two 3x3 convolutions, and nothing behind the addition. A projection reads what the first ReLU
/// gives and has no normalisation of its own.
std::int32_t preactivation_block(NetworkBuilder& net, const std::string& prefix, std::int32_t from,
                                 std::int64_t inputs, std::int64_t outputs, std::int64_t stride) {
  const std::int32_t active = net.relu(prefix + "relu1", net.batch_norm(prefix + "norm1", from));
  std::int32_t y = net.convolution(prefix + "conv1", active, outputs, {3, 3, stride, 1});
  y = net.relu(prefix + "relu2", net.batch_norm(prefix + "norm2", y));
  y = net.convolution(prefix + "conv2", y, outputs, {3, 3, 1, 1});
  std::int32_t shortcut = from;
  if (stride != 1 || inputs != outputs) {
    shortcut = net.convolution(prefix + "projection", active, outputs, {1, 1, stride, 0});
  }
  return net.add(prefix + "add", y, shortcut);
}

}  // namespace

/// Depth 22 = 6 x 3 + 4: a stem of 16 channels and three stages of three blocks at widths w, 2w,
/// 4w; the widening factor 2 is w = 2 x 16.
Network build_wrn22_2(const NetworkRequest& request) {
  NetworkBuilder net("wrn22_2", request.input);
  std::int64_t channels = 16;
  std::int32_t x = net.convolution("stem.conv", 0, channels, {3, 3, 1, 1});
  for (int stage = 1; stage <= 3; ++stage) {
    const std::int64_t outputs = request.width << (stage - 1);
    for (int block = 1; block <= 3; ++block) {
      const std::string prefix = fmt::format("stage{}.block{}.", stage, block);
      x = preactivation_block(net, prefix, x, channels, outputs, stage > 1 && block == 1 ? 2 : 1);
      channels = outputs;
    }
  }
  x = net.relu("head.relu", net.batch_norm("head.norm", x));
  pooled_classifier(net, x, request.classes);
  return net.finish();
}

}  // namespace gcg
