#include "graph/families.h"

namespace gcg {

std::int32_t convolution_norm_relu(NetworkBuilder& net, const std::string& prefix,
                                   const std::string& suffix, std::int32_t from,
                                   std::int64_t outputs, Window window) {
  std::int32_t x = net.convolution(prefix + "conv" + suffix, from, outputs, window);
  x = net.batch_norm(prefix + "norm" + suffix, x);
  return net.relu(prefix + "relu" + suffix, x);
}

std::int32_t projection_shortcut(NetworkBuilder& net, const std::string& prefix, std::int32_t from,
                                 std::int64_t outputs, std::int64_t stride) {
  const std::int32_t x = net.convolution(prefix + "projection", from, outputs, {1, 1, stride, 0});
  return net.batch_norm(prefix + "projection_norm", x);
}

std::int32_t basic_block(NetworkBuilder& net, const std::string& prefix, std::int32_t from,
                         std::int64_t inputs, std::int64_t outputs, std::int64_t stride) {
  std::int32_t y = convolution_norm_relu(net, prefix, "1", from, outputs, {3, 3, stride, 1});
  y = net.convolution(prefix + "conv2", y, outputs, {3, 3, 1, 1});
  y = net.batch_norm(prefix + "norm2", y);
  std::int32_t shortcut = from;
  if (stride != 1 || inputs != outputs) {
    shortcut = projection_shortcut(net, prefix, from, outputs, stride);
  }
  return net.relu(prefix + "relu2", net.add(prefix + "add", y, shortcut));
}

void pooled_classifier(NetworkBuilder& net, std::int32_t from, std::int64_t classes) {
  net.linear("classifier", net.global_average_pool("pool", from), classes);
}

}  // namespace gcg
