#include "graph/families.h"

namespace gcg {

Network build_lenet5(const NetworkRequest& request) {
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

}  // namespace gcg
