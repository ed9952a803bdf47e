#include "train/branches.h"

namespace gcg {

std::vector<float> draw_branch_factors(const Network& network, std::int64_t samples, Share share,
                                       RandomStream stream) {
  std::vector<float> factors;
  for (const Node& node : network.nodes) {
    for (std::int64_t s = 0; node.operation == Operation::drop_path && s < samples; ++s) {
      const bool dropped = stream.uniform() < node.drop_rate;
      if (s >= share.begin && s < share.end) {
        factors.push_back(dropped ? 0.0F : static_cast<float>(1 / (1 - node.drop_rate)));
      }
    }
  }
  return factors;
}

}  // namespace gcg
