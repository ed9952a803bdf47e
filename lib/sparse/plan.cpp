#include "sparse/plan.h"

#include <algorithm>
#include <map>
#include <utility>

#include "sparse/index.h"

namespace gcg::sparse {

namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

std::int32_t sole_reader(const Network& network,
                         const std::vector<std::vector<std::int32_t>>& readers, std::int32_t node,
                         Operation wanted) {
  if (readers[at(node)].size() != 1) {
    return -1;
  }
  const std::int32_t reader = readers[at(node)].front();
  return network.nodes[at(reader)].operation == wanted ? reader : -1;
}

/// A fused instruction stands where its last node stood: all it reads is there by then. Where both
/// inputs of an addition are normalisations, the later one takes it up.
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
    Instruction& instruction = fused[at(relu)];
    instruction.node = n;
    instruction.input = network.nodes[at(n)].inputs[0];
    instruction.relu = true;
    instruction.output = relu;
    taken[at(n)] = true;
    taken[at(relu)] = true;
    if (sum >= 0) {
      const std::vector<std::int32_t>& inputs = network.nodes[at(sum)].inputs;
      instruction.other = inputs[0] == n ? inputs[1] : inputs[0];
      taken[at(sum)] = true;
    }
  }
  std::vector<Instruction> instructions;
  for (std::int32_t n = 1; n < count; ++n) {
    const Node& node = network.nodes[at(n)];
    if (fused[at(n)].output == n) {
      instructions.push_back(fused[at(n)]);
    } else if (!taken[at(n)]) {
      Instruction instruction;
      instruction.node = instruction.output = n;
      instruction.input = node.inputs[0];
      instruction.other = node.operation == Operation::add ? node.inputs[1] : -1;
      instructions.push_back(instruction);
    }
  }
  return instructions;
}

/// Tensors of equal height and width get equal halos: what works element by element may then work
/// in place.
std::vector<Layout> place_tensors(const Network& network) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> halos;
  const auto ask = [&](const Shape& shape, std::int64_t halo) {
    std::int64_t& largest = halos[{shape.height, shape.width}];
    largest = std::max(largest, halo);
  };
  for (const Node& node : network.nodes) {
    if (node.operation == Operation::convolution) {
      const Shape& input = network.nodes[at(node.inputs[0])].shape;
      ask(input, input_halo(node.window));
      ask(node.shape, gradient_halo(node.window, input, node.shape));
    }
  }
  std::vector<Layout> layouts;
  for (const Node& node : network.nodes) {
    layouts.push_back({node.shape, halos[{node.shape.height, node.shape.width}]});
  }
  return layouts;
}

/// Whether anything up to and including a node is trained.
std::vector<bool> trained_nodes(const Network& network) {
  std::vector<bool> trained;
  for (const Node& node : network.nodes) {
    trained.push_back(
        node.layer >= 0 || node.norm >= 0 ||
        std::ranges::any_of(node.inputs, [&](std::int32_t i) { return trained[at(i)]; }));
  }
  return trained;
}

bool works_in_place(const Network& network, const Instruction& instruction) {
  const Operation operation = network.nodes[at(instruction.node)].operation;
  return operation == Operation::batch_norm || operation == Operation::relu ||
         operation == Operation::add;
}

void plan_gradients(const Network& network, Plan& plan) {
  const std::vector<bool> trained = trained_nodes(network);
  std::vector<std::int32_t> free;
  std::vector<std::int32_t> read;  // in the segment at hand, hence not free yet
  const auto take = [&](std::int32_t node) {
    const auto same = std::ranges::find_if(
        free, [&](std::int32_t b) { return plan.buffers[at(b)] == plan.layouts[at(node)]; });
    if (same == free.end()) {
      plan.buffers.push_back(plan.layouts[at(node)]);
      return static_cast<std::int32_t>(plan.buffers.size() - 1);
    }
    const std::int32_t buffer = *same;
    free.erase(same);
    return buffer;
  };
  plan.gradient.assign(network.nodes.size(), -1);
  plan.gradient.back() = take(static_cast<std::int32_t>(network.nodes.size()) - 1);
  for (std::size_t i = plan.instructions.size(); i-- > 0;) {
    Instruction& instruction = plan.instructions[i];
    instruction.backward = trained[at(instruction.output)];
    if (!instruction.backward) {
      continue;
    }
    const bool norm = network.nodes[at(instruction.node)].operation == Operation::batch_norm;
    if (norm) {
      free.insert(free.end(), read.begin(), read.end());
      read.clear();
    }
    const std::int32_t own = plan.gradient[at(instruction.output)];
    bool handed_on = false;
    const auto contribute = [&](std::int32_t to, bool in_place) {
      if (to < 0 || !trained[at(to)]) {
        return Contribution::none;
      }
      std::int32_t& buffer = plan.gradient[at(to)];
      if (buffer >= 0) {
        return Contribution::accumulate;
      }
      if (in_place && !handed_on) {
        buffer = own;
        handed_on = true;
        return Contribution::in_place;
      }
      buffer = take(to);
      return Contribution::write;
    };
    // An addition by itself reads its gradient once more after serving its other input; fused, what
    // is left there is what the normalisation needs.
    instruction.to_other = contribute(instruction.other, norm);
    instruction.to_input = contribute(instruction.input, works_in_place(network, instruction));
    if (!handed_on) {
      read.push_back(own);
    }
  }
}

bool is_vector(const Network& network, const Instruction& instruction) {
  return network.nodes[at(instruction.input)].shape.positions() == 1 &&
         network.nodes[at(instruction.output)].shape.positions() == 1;
}

/// Appends to the last segment if that is of the same kind and `fresh` does not forbid it.
void append(std::vector<Segment>& segments, const Step& step, bool vectors, bool fresh) {
  if (segments.empty() || segments.back().vectors != vectors || fresh) {
    segments.push_back({{}, vectors});
  }
  segments.back().steps.push_back(step);
}

void cut_into_segments(const Network& network, Plan& plan) {
  std::vector<std::size_t> segment_of(network.nodes.size(), 0);  // 1 is the first one
  plan.normalised.assign(network.nodes.size(), false);
  const std::int32_t count = static_cast<std::int32_t>(plan.instructions.size());
  for (std::int32_t i = 0; i < count; ++i) {
    const Instruction& instruction = plan.instructions[at(i)];
    const bool norm = network.nodes[at(instruction.node)].operation == Operation::batch_norm;
    const bool fresh = norm && segment_of[at(instruction.input)] == plan.forward.size();
    append(plan.forward, {i, Part::whole}, is_vector(network, instruction), fresh);
    segment_of[at(instruction.output)] = plan.forward.size();
    if (norm) {
      plan.normalised[at(instruction.input)] = true;
    }
  }
  for (std::int32_t i = count - 1; i >= 0; --i) {
    const Instruction& instruction = plan.instructions[at(i)];
    const bool vectors = is_vector(network, instruction);
    if (!instruction.backward) {
      continue;
    }
    if (network.nodes[at(instruction.node)].operation == Operation::batch_norm) {
      append(plan.backward, {i, Part::first_half}, vectors, false);
      append(plan.backward, {i, Part::second_half}, vectors, true);
    } else {
      append(plan.backward, {i, Part::whole}, vectors, false);
    }
  }
}

}  // namespace

Plan make_plan(const Network& network) {
  Plan plan;
  plan.instructions = fuse(network);
  plan.layouts = place_tensors(network);
  plan.value.assign(network.nodes.size(), -1);
  const auto add_value = [&](std::int32_t node) {
    plan.value[at(node)] = static_cast<std::int32_t>(plan.buffers.size());
    plan.buffers.push_back(plan.layouts[at(node)]);
  };
  add_value(0);
  for (const Instruction& instruction : plan.instructions) {
    add_value(instruction.output);
  }
  plan_gradients(network, plan);
  cut_into_segments(network, plan);
  return plan;
}

}  // namespace gcg::sparse
