#include "sparse/plan_bf16.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/index.h"

namespace gcg::sparse {

namespace {

/// The tensors that a step reads in single precision, whatever they are kept in.
std::vector<TensorId> read_in_single(const Network& network, const Plan& plan, const Step& step) {
  const Instruction& i = plan.instructions[at(step.instruction)];
  const TensorId input{i.input, false};
  const TensorId value{i.output, false};
  const TensorId gradient{i.output, true};
  const Operation operation = network.nodes[at(i.node)].operation;
  if (operation == Operation::batch_norm || operation == Operation::add) {
    return {};  // there are kernels for bf16
  }
  const bool attention = operation == Operation::attention;
  const TensorId key{i.other, false};
  const TensorId values{i.third, false};
  switch (step.part) {
    case Part::forward:
    case Part::again:
      return attention ? std::vector{input, key, values} : std::vector{input};
    case Part::weights:
      return {input, gradient};
    case Part::backward:
      if (operation == Operation::relu) {
        return {value, gradient};
      }
      if (attention) {
        return {input, key, values, gradient};
      }
      return operation == Operation::max_pool || operation == Operation::gelu ||
                     operation == Operation::layer_norm
                 ? std::vector{input, gradient}
                 : std::vector{gradient};
    case Part::first_half:
    case Part::second_half:
      break;
  }
  return {};
}

bool is_in_bf16(const Plan& plan, const Room& room) {
  return room.kind == Room::Kind::batch && plan.buffers[at(room.index)].bf16;
}

}  // namespace

std::vector<bool> nodes_in_bf16(const Network& network, Precision precision) {
  std::set<std::pair<std::int64_t, std::int64_t>> single{{1, 1}};
  const auto leave = [&](const Node& node) {
    single.insert({node.shape.height, node.shape.width});
  };
  leave(network.nodes.back());
  for (const Node& node : network.nodes) {
    if ((node.operation == Operation::batch_norm || node.operation == Operation::add) &&
        std::ranges::find(node.inputs, 0) != node.inputs.end()) {
      leave(node);  // images are in single precision
    }
  }
  std::vector<bool> in_bf16;
  for (const Node& node : network.nodes) {
    in_bf16.push_back(precision == Precision::bf16 && node.operation != Operation::input &&
                      !single.contains({node.shape.height, node.shape.width}));
  }
  return in_bf16;
}

void place_expanded(const Network& network, BlockRooms& rooms, Plan& plan) {
  for (const Instruction& i : plan.instructions) {
    const std::int32_t layer = network.nodes[at(i.node)].layer;
    if (layer >= 0 && !plan.weights_by_block[at(layer)]) {
      for (const auto& [node, room] : {std::pair(i.input, plan.value[at(i.input)]),
                                       std::pair(i.output, plan.gradient[at(i.output)])}) {
        if (is_in_bf16(plan, room)) {
          plan.whole = std::max(plan.whole, plan.layouts[at(node)].block());
        }
      }
    }
  }
  std::map<TensorId, std::vector<std::size_t>> readers;
  const auto read = [&](const Step& step, std::size_t segment) {
    for (const TensorId& tensor : read_in_single(network, plan, step)) {
      if (is_in_bf16(plan, (tensor.gradient ? plan.gradient : plan.value)[at(tensor.node)])) {
        readers[tensor].push_back(segment);
      }
    }
  };
  for (std::size_t s = 0; s < plan.forward.size(); ++s) {
    std::ranges::for_each(plan.forward[s].steps, [&](const Step& step) { read(step, s + 1); });
  }
  for (std::size_t s = 0; s < plan.backward.size(); ++s) {
    std::ranges::for_each(plan.backward[s].steps,
                          [&](const Step& step) { read(step, backward_segment(plan, s + 1)); });
  }
  plan.expanded_value.assign(network.nodes.size(), {});
  plan.expanded_gradient.assign(network.nodes.size(), {});
  for (const auto& [tensor, segments] : readers) {
    (tensor.gradient ? plan.expanded_gradient : plan.expanded_value)[at(tensor.node)] =
        rooms.take(plan.layouts[at(tensor.node)], segments);
  }
}

}  // namespace gcg::sparse
