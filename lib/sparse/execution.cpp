#include "sparse/execution.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/index.h"
#include "sparse/tile_convolve.h"

namespace gcg::sparse {

namespace {

View view(Execution& execution, std::int32_t node, const Room& room, std::int64_t thread,
          bool in_pairs) {
  const Layout& layout = execution.plan.layouts[at(node)];
  switch (room.kind) {
    case Room::Kind::none:
      break;
    case Room::Kind::batch:
      return {layout, execution.buffers[at(room.index)].data()->lanes.data(), false,
              execution.plan.buffers[at(room.index)].bf16};
    case Room::Kind::block:
      return {layout, execution.rooms[at(thread)].blocks[at(room.index)].data()->lanes.data(), true,
              in_pairs};
  }
  return {layout};
}

void check_max_pool(const Network& network, const Node& node) {
  if (node.operation == Operation::max_pool &&
      node.window.padding >= std::min(node.window.height, node.window.width)) {
    throw Error(fmt::format("{}: {}", network.name, node.name),
                fmt::format("padding {} leaves windows of {}x{} without any input",
                            node.window.padding, node.window.height, node.window.width),
                "pad by less than the window");
  }
}

/// The node that a layer reads.
std::size_t input_of(const Execution& execution, std::size_t layer) {
  const Network& network = execution.network;
  return at(network.nodes[at(network.layers[layer].node)].inputs[0]);
}

/// Of the layers that share an input in room for a block all run by tiles, or none.
std::vector<bool> layers_by_tiles(const Execution& execution, const Mask& mask) {
  std::vector<bool> by_tiles(execution.layers.size(), false);
  std::vector<bool> single(execution.network.nodes.size(), false);
  for (std::size_t l = 0; l < execution.layers.size(); ++l) {
    by_tiles[l] = execution.tiles.kernels != nullptr && execution.plan.takes_tiles[l] &&
                  fits_tiles(execution.layers[l].place) &&
                  density_of(mask.layers[l]) >= execution.tiles.from;
    const std::size_t input = input_of(execution, l);
    single[input] = single[input] || !by_tiles[l];
  }
  for (std::size_t l = 0; l < execution.layers.size(); ++l) {
    const std::size_t input = input_of(execution, l);
    if (single[input] && execution.plan.value[input].kind == Room::Kind::block) {
      by_tiles[l] = false;
    }
  }
  return by_tiles;
}

ThreadRoom thread_room(const Execution& execution) {
  ThreadRoom room;
  for (const Layout& layout : execution.plan.blocks) {
    room.blocks.emplace_back(at(layout.block()));
  }
  room.expanded.resize(room.blocks.size());
  std::int64_t stripe = 0;
  for (const Buffer& buffer : execution.plan.buffers) {
    Layout layout = buffer.layout;
    if (execution.tiles.kernels != nullptr) {
      layout.shape.channels = tile_count(layout.shape.channels) * kTileSide;
    }
    stripe = std::max(stripe, buffer.bf16 ? layout.block() : 0);
  }
  room.stripe.resize(at(stripe));
  std::int64_t tiles = 0;
  for (std::size_t l = 0; l < execution.layers.size() && execution.tiles.kernels != nullptr; ++l) {
    if (execution.plan.takes_tiles[l] && execution.plan.weights_by_block[l]) {
      tiles = std::max(tiles, tile_room(execution.layers[l].place));
    }
  }
  room.tiles.resize(at(tiles));
  std::int64_t lanes = 0;
  for (const SparseLayer& layer : execution.layers) {
    lanes = std::max(lanes, lane_count(layer.place.layer));
  }
  std::int64_t scores = 0;
  std::int64_t attended = 0;
  for (std::size_t n = 0; n < execution.network.nodes.size(); ++n) {
    const Node& node = execution.network.nodes[n];
    if (node.operation == Operation::attention) {
      scores = std::max(scores, attention_room(node.shape.height));
      attended = std::max(attended, execution.plan.layouts[n].block());
    } else if (node.operation == Operation::layer_norm) {
      lanes = std::max(lanes, 2 * node.shape.channels);
    }
  }
  room.lanes.resize(at(lanes));
  room.scores.resize(at(scores));
  for (Tensor& gradient : room.attended) {
    gradient.resize(at(stripe > 0 ? attended : 0));
  }
  return room;
}

}  // namespace

View Execution::value(std::int32_t node, std::int64_t thread) {
  return view(*this, node, plan.value[at(node)], thread, value_in_pairs[at(node)]);
}

View Execution::gradient(std::int32_t node, std::int64_t thread) {
  return view(*this, node, plan.gradient[at(node)], thread, gradient_in_pairs[at(node)]);
}

View single(Execution& execution, const Run& run, TensorId tensor, Blocks part, std::int64_t bottom,
            std::int64_t thread) {
  const View kept = tensor.gradient ? execution.gradient(tensor.node, thread)
                                    : execution.value(tensor.node, thread);
  if (!kept.bf16) {
    return kept;
  }
  const Room& room = (tensor.gradient ? execution.plan.expanded_gradient
                                      : execution.plan.expanded_value)[at(tensor.node)];
  const View expanded = view(execution, tensor.node, room, thread, false);
  std::int64_t& rows = execution.rooms[at(thread)].expanded[at(room.index)];
  bottom = std::min(bottom, kept.layout.shape.height);
  if (rows < bottom) {
    expand(run, part.begin, {rows, bottom}, kept, expanded);
    rows = bottom;
  }
  return expanded;
}

View target(Execution& execution, const View& kept, Stripe stripe, std::int64_t thread) {
  if (!kept.bf16) {
    return kept;
  }
  return {kept.layout, execution.rooms[at(thread)].stripe.data()->lanes.data(), true, false,
          stripe.top};
}

void keep(const Run& run, Blocks part, Stripe stripe, const View& made, bool accumulate,
          const View& kept) {
  if (kept.bf16) {
    compress(run, part.begin, stripe, made, accumulate, kept);
  }
}

Execution make_execution(const Network& network, std::int64_t threads, const Kernels& kernels,
                         Precision precision, const TileChoice& tiles) {
  Execution execution;
  execution.network = network;
  execution.kernels = &kernels;
  execution.tiles = tiles;
  execution.threads = threads;
  execution.plan = make_plan(network, precision);
  const Plan& plan = execution.plan;
  for (const Layer& layer : network.layers) {
    const Node& node = network.nodes[at(layer.node)];
    SparseLayer added;
    added.place = {layer, node.window, plan.layouts[at(node.inputs[0])],
                   plan.layouts[at(layer.node)]};
    if (node.operation == Operation::linear) {
      added.place.window = Window{};
    }
    added.sums_by_block = plan.weights_by_block[execution.layers.size()];
    check_index_range(added.place);
    execution.layers.push_back(std::move(added));
  }
  for (const Instruction& instruction : plan.instructions) {
    const std::int32_t layer = network.nodes[at(instruction.node)].layer;
    if (layer >= 0) {
      execution.layers[at(layer)].has_input_gradient = instruction.to_input != Contribution::none;
    }
  }
  execution.value_in_pairs.resize(network.nodes.size());
  execution.gradient_in_pairs.resize(network.nodes.size());
  execution.place.resize(network.layers.size());
  execution.by_input_of.resize(network.layers.size());
  execution.moments.resize(network.nodes.size());
  execution.norms.resize(at(network.norm_count));
  std::size_t widest = 0;
  for (const Node& node : network.nodes) {
    check_max_pool(network, node);
    if (node.operation == Operation::batch_norm) {
      const std::size_t channels = at(node.shape.channels);
      execution.norms[at(node.norm)].mean.resize(channels);
      execution.norms[at(node.norm)].variance.resize(channels);
      widest = std::max(widest, channels);
    }
  }
  execution.unused.resize(2 * widest);
  return execution;
}

void write_layers(Execution& execution, const Mask& mask,
                  const std::vector<std::vector<float>>& weights) {
  const std::vector<bool> by_tiles = layers_by_tiles(execution, mask);
  execution.value_in_pairs.assign(execution.network.nodes.size(), false);
  execution.gradient_in_pairs.assign(execution.network.nodes.size(), false);
  for (std::size_t l = 0; l < execution.layers.size(); ++l) {
    if (!by_tiles[l]) {
      execution.layers[l].write(mask.layers[l], weights[l]);
      continue;
    }
    execution.layers[l].write_as(SparseLayer::Form::tiles, mask.layers[l], weights[l]);
    execution.value_in_pairs[input_of(execution, l)] = true;
    execution.gradient_in_pairs[at(execution.network.layers[l].node)] = true;
  }
}

Run prepare(Execution& execution, std::int64_t samples) {
  const Run run(*execution.kernels, execution.threads, samples);
  if (run.blocks <= execution.blocks) {
    return run;
  }
  execution.buffers.clear();
  for (const Buffer& buffer : execution.plan.buffers) {
    execution.buffers.emplace_back(at(run.blocks * buffer.block()));
  }
  for (Tensor& room : execution.whole) {
    room = {};
    room.resize(at(run.blocks * execution.plan.whole));
  }
  while (std::ssize(execution.rooms) < std::min(execution.threads, group_count(run))) {
    execution.rooms.push_back(thread_room(execution));
  }
  const std::vector<Node>& nodes = execution.network.nodes;
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    const std::int64_t planes = run.blocks * nodes[n].shape.channels;
    if (execution.plan.normalised[n]) {
      execution.moments[n].resize(at(planes * execution.plan.value_stripes[n]));
    }
    if (nodes[n].norm >= 0) {
      execution.norms[at(nodes[n].norm)].sums.resize(
          at(planes * execution.plan.sum_stripes[at(nodes[n].norm)]));
    }
    if (nodes[n].operation == Operation::layer_norm) {
      execution.norms[at(nodes[n].norm)].moments.resize(
          at(2 * run.blocks * nodes[n].shape.positions()));
    }
  }
  execution.position_sums.resize(at(group_count(run)));
  for (std::vector<float>& sums : execution.position_sums) {
    sums.resize(execution.positions.value.size());
  }
  const std::size_t logits = at(run.blocks * kLanes * execution.network.classes());
  execution.logits.resize(logits);
  execution.logit_gradient.resize(logits);
  execution.blocks = run.blocks;
  return run;
}

void set_branch_factors(Execution& execution, const Run& run, std::span<const float> factors) {
  const std::int64_t nodes = execution.network.drop_count;
  execution.branch_factors.resize(
      std::max(execution.branch_factors.size(), at(nodes * run.blocks)));
  for (std::int64_t n = 0; n < nodes; ++n) {
    for (std::int64_t s = 0; s < run.samples; ++s) {
      execution.branch_factors[at(n * run.blocks + s / kLanes)].lanes[at(s % kLanes)] =
          factors.empty() ? 1.0F : factors[at(n * run.samples + s)];
    }
  }
}

std::int64_t group_count(const Run& run) { return std::min(run.blocks, kMostGroups); }

Blocks group(const Run& run, std::int64_t g) {
  const std::int64_t groups = group_count(run);
  return {run.blocks * g / groups, run.blocks * (g + 1) / groups};
}

}  // namespace gcg::sparse
