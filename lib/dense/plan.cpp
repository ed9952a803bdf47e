#include "dense/plan.h"

#include <cstddef>

#include "backend/fusion.h"

namespace gcg {

namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

}  // namespace

std::vector<Instruction> make_plan(const Network& network) {
  const auto readers = network.readers();
  std::vector<Instruction> plan;
  for (const FusedNode& node : fuse(network)) {
    plan.push_back({node.node, node.input, node.other, node.relu, node.output, false, {}});
  }

  std::vector<const Instruction*> last_reader(network.nodes.size(), nullptr);
  for (std::size_t i = plan.size(); i-- > 0;) {
    Instruction& instruction = plan[i];
    std::vector<std::int32_t> reads{instruction.input, instruction.other};
    if (network.nodes[at(instruction.node)].operation == Operation::attention) {
      reads = network.nodes[at(instruction.node)].inputs;
    }
    for (const std::int32_t value : reads) {
      if (value >= 0 && last_reader[at(value)] == nullptr) {
        last_reader[at(value)] = &instruction;
        instruction.last_reads.push_back(value);
      }
    }
    // The derivatives of these sources do not need their results.
    const Operation operation = network.nodes[at(instruction.node)].operation;
    const Operation source = network.nodes[at(instruction.input)].operation;
    instruction.in_place = (operation == Operation::relu || operation == Operation::add) &&
                           (source == Operation::convolution || source == Operation::batch_norm ||
                            source == Operation::add) &&
                           readers[at(instruction.input)].size() == 1;
  }
  return plan;
}

}  // namespace gcg
