#include <cstddef>

#include "base/index.h"
#include "sparse/plan.h"

namespace gcg::sparse {

namespace {

/// The node that alone reads `node`, if it is a `wanted` one, else -1.
std::int32_t sole_reader(const Network& network,
                         const std::vector<std::vector<std::int32_t>>& readers, std::int32_t node,
                         Operation wanted) {
  if (readers[at(node)].size() != 1) {
    return -1;
  }
  const std::int32_t reader = readers[at(node)].front();
  return network.nodes[at(reader)].operation == wanted ? reader : -1;
}

}  // namespace

bool by_token(const Network& network, const Instruction& instruction) {
  const Node& node = network.nodes[at(instruction.node)];
  switch (node.operation) {
    case Operation::linear:
    case Operation::layer_norm:
    case Operation::gelu:
    case Operation::drop_path:
    case Operation::add:
      return node.shape.height > 1 && node.shape.width == 1;
    default:
      return false;
  }
}

std::vector<Instruction> fuse(const Network& network) {
  const auto readers = network.readers();
  const std::int32_t count = static_cast<std::int32_t>(network.nodes.size());
  std::vector<Instruction> fused(at(count));  // by output
  std::vector<bool> taken(at(count), false);
  for (std::int32_t n = count - 1; n > 0; --n) {
    if (network.nodes[at(n)].operation != Operation::batch_norm) {
      continue;
    }
    const std::int32_t sum = sole_reader(network, readers, n, Operation::add);
    const std::int32_t relu = sole_reader(network, readers, sum < 0 ? n : sum, Operation::relu);
    if (relu < 0 || taken[at(relu)]) {
      continue;
    }
    fused[at(relu)] = {n, network.nodes[at(n)].inputs[0], -1, true, relu};
    taken[at(n)] = true;
    taken[at(relu)] = true;
    if (sum >= 0) {
      const std::vector<std::int32_t>& inputs = network.nodes[at(sum)].inputs;
      fused[at(relu)].other = inputs[0] == n ? inputs[1] : inputs[0];
      taken[at(sum)] = true;
    }
  }
  std::vector<Instruction> order;
  for (std::int32_t n = 1; n < count; ++n) {
    const Node& node = network.nodes[at(n)];
    if (fused[at(n)].output == n) {
      order.push_back(fused[at(n)]);
    } else if (!taken[at(n)]) {
      Instruction& alone = order.emplace_back(Instruction{n, node.inputs[0], -1, false, n});
      alone.other = node.inputs.size() > 1 ? node.inputs[1] : -1;
      alone.third = node.inputs.size() > 2 ? node.inputs[2] : -1;
    }
  }
  return order;
}

}  // namespace gcg::sparse
