#include "dense/plan.h"

#include <cstddef>

namespace gcg {

std::vector<NodeUse> plan_uses(const Network& network) {
  const auto at = [](std::int32_t i) { return static_cast<std::size_t>(i); };
  const auto readers = network.readers();
  std::vector<NodeUse> uses(network.nodes.size());
  std::vector<bool> read_later(network.nodes.size(), false);
  for (std::size_t n = network.nodes.size(); n-- > 1;) {
    const Node& node = network.nodes[n];
    for (const std::int32_t value : node.inputs) {
      if (!read_later[at(value)]) {
        read_later[at(value)] = true;
        uses[n].last_reads.push_back(value);
      }
    }
    // The derivatives of these sources do not need their results.
    const Operation source = network.nodes[at(node.inputs[0])].operation;
    uses[n].in_place = (node.operation == Operation::relu || node.operation == Operation::add) &&
                       (source == Operation::convolution || source == Operation::batch_norm ||
                        source == Operation::add) &&
                       readers[at(node.inputs[0])].size() == 1;
  }
  return uses;
}

}  // namespace gcg
