#include <algorithm>

#include "graph/families.h"

namespace gcg {

Network build_mlp(const NetworkRequest& request) {
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

}  // namespace gcg
