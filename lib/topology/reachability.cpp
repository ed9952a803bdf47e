#include "topology/reachability.h"

#include <algorithm>
#include <limits>
#include <span>
#include <utility>

namespace gcg {

namespace {

using Words = std::span<std::uint64_t>;
using ConstWords = std::span<const std::uint64_t>;

/// One bit per channel and position, each channel padded to whole words. Bit y * width + x of a
/// channel stands for position (y, x); bits behind the last position are zero.
class BitMaps {
 public:
  BitMaps() = default;
  BitMaps(std::int64_t channels, std::int64_t positions)
      : words_(static_cast<std::size_t>((positions + 63) / 64)),
        bits_(static_cast<std::size_t>(channels) * words_) {}
  explicit BitMaps(const Shape& shape) : BitMaps(shape.channels, shape.positions()) {}

  Words operator[](std::int64_t channel) {
    return Words(bits_).subspan(static_cast<std::size_t>(channel) * words_, words_);
  }
  ConstWords operator[](std::int64_t channel) const {
    return ConstWords(bits_).subspan(static_cast<std::size_t>(channel) * words_, words_);
  }

 private:
  std::size_t words_ = 0;
  std::vector<std::uint64_t> bits_;
};

bool test(ConstWords map, std::int64_t bit) {
  return ((map[static_cast<std::size_t>(bit / 64)] >> (bit % 64)) & 1U) != 0;
}

void set(Words map, std::int64_t bit) {
  map[static_cast<std::size_t>(bit / 64)] |= std::uint64_t{1} << (bit % 64);
}

bool any(ConstWords map) {
  return std::any_of(map.begin(), map.end(), [](std::uint64_t word) { return word != 0; });
}

bool intersect(ConstWords a, ConstWords b) {
  for (std::size_t w = 0; w < a.size(); ++w) {
    if ((a[w] & b[w]) != 0) {
      return true;
    }
  }
  return false;
}

void unite(Words to, ConstWords from) {
  for (std::size_t w = 0; w < to.size(); ++w) {
    to[w] |= from[w];
  }
}

void fill(Words map, std::int64_t positions) {
  std::fill(map.begin(), map.end(), ~std::uint64_t{0});
  if (positions % 64 != 0) {
    map.back() >>= 64 - positions % 64;
  }
}

/// Up to 64 bits from bit `at` on.
std::uint64_t load(ConstWords map, std::int64_t at, std::int64_t count) {
  const auto word = static_cast<std::size_t>(at / 64);
  const auto shift = static_cast<int>(at % 64);
  std::uint64_t bits = map[word] >> shift;
  if (shift + count > 64) {
    bits |= map[word + 1] << (64 - shift);
  }
  return count == 64 ? bits : bits & ((std::uint64_t{1} << count) - 1);
}

void unite_bits(Words map, std::int64_t at, std::int64_t count, std::uint64_t bits) {
  const auto word = static_cast<std::size_t>(at / 64);
  const auto shift = static_cast<int>(at % 64);
  map[word] |= bits << shift;
  if (shift + count > 64) {
    map[word + 1] |= bits >> (64 - shift);
  }
}

/// Bits of a map that lie `step` apart.
struct Bits {
  std::int64_t first = 0;
  std::int64_t step = 1;
};

/// to |= from, bit by bit of two equally long sequences.
void unite(Words to, Bits target, ConstWords from, Bits source, std::int64_t count) {
  if (target.step == 1 && source.step == 1) {
    for (std::int64_t done = 0; done < count; done += 64) {
      const std::int64_t part = std::min<std::int64_t>(64, count - done);
      unite_bits(to, target.first + done, part, load(from, source.first + done, part));
    }
    return;
  }
  for (std::int64_t k = 0; k < count; ++k) {
    if (test(from, source.first + k * source.step)) {
      set(to, target.first + k * target.step);
    }
  }
}

/// A tap of a window at all output positions of one output row at which it reads inside the input:
/// neighbouring output positions read input positions a stride apart.
struct Run {
  std::int64_t tap = 0;
  Bits input;
  Bits output;
  std::int64_t count = 0;
};

/// Output positions [first, end) of one direction at which a tap reads inside the input.
std::pair<std::int64_t, std::int64_t> inside(std::int64_t tap, const Window& window,
                                             std::int64_t input, std::int64_t output) {
  const std::int64_t offset = tap - window.padding;
  const std::int64_t first = offset >= 0 ? 0 : (-offset + window.stride - 1) / window.stride;
  const std::int64_t end = offset >= input ? 0 : (input - 1 - offset) / window.stride + 1;
  return {first, std::min(end, output)};
}

std::vector<Run> window_runs(const Shape& input, const Node& node) {
  const Window& window = node.window;
  std::vector<Run> runs;
  for (std::int64_t ky = 0; ky < window.height; ++ky) {
    const auto [top, bottom] = inside(ky, window, input.height, node.shape.height);
    for (std::int64_t kx = 0; kx < window.width; ++kx) {
      const auto [left, right] = inside(kx, window, input.width, node.shape.width);
      for (std::int64_t y = top; y < bottom && left < right; ++y) {
        const std::int64_t input_y = y * window.stride + ky - window.padding;
        const std::int64_t input_x = left * window.stride + kx - window.padding;
        runs.push_back({ky * window.width + kx,
                        {input_y * input.width + input_x, window.stride},
                        {y * node.shape.width + left, 1},
                        right - left});
      }
    }
  }
  return runs;
}

/// Calls f(output unit, column) for every present connection; a column is input * taps + tap.
template <typename F>
void for_each_connection(const Layer& layer, const LayerMask& mask, F f) {
  std::int64_t unit = 0;
  std::int64_t row = 0;
  mask.for_each_present([&](std::int64_t i) {
    while (i - row >= layer.fan_in()) {
      ++unit;
      row += layer.fan_in();
    }
    f(unit, i - row);
  });
}

/// What every column (input channel and tap) sees at every output position: after this a connection
/// is one OR or AND of words, and padding and stride are done with.
BitMaps columns(const BitMaps& from, const Shape& input, const Node& node) {
  const std::int64_t taps = node.window.height * node.window.width;
  const std::vector<Run> runs = window_runs(input, node);
  BitMaps result(input.channels * taps, node.shape.positions());
  for (std::int64_t c = 0; c < input.channels; ++c) {
    for (const Run& run : runs) {
      unite(result[c * taps + run.tap], run.output, from[c], run.input, run.count);
    }
  }
  return result;
}

/// Both passes over one network and mask.
class Passes {
 public:
  Passes(const Network& network, const Mask& mask) : network_(network), mask_(mask) {
    check_sizes(network, mask);
    for (const Node& node : network.nodes) {
      reached_.emplace_back(node.shape);
      read_.emplace_back(node.shape);
    }
    for (std::size_t n = 0; n < network.nodes.size(); ++n) {
      forward(n);
    }
    fill_all(read_.back(), network.nodes.back().shape);
    for (std::size_t n = network.nodes.size(); n-- > 0;) {
      backward(n);
    }
  }

  /// Positions of a node's output that a path from the input reaches.
  [[nodiscard]] const BitMaps& reached(std::int32_t node) const {
    return reached_[static_cast<std::size_t>(node)];
  }
  /// Positions of a node's output from which a path leads to the output.
  [[nodiscard]] const BitMaps& read(std::int32_t node) const {
    return read_[static_cast<std::size_t>(node)];
  }

  [[nodiscard]] LayerMask effective(std::size_t l) const {
    const Layer& layer = network_.layers[l];
    const Node& node = network_.nodes[static_cast<std::size_t>(layer.node)];
    const BitMaps sources = columns(reached(node.inputs[0]), input_shape(node), node);
    const BitMaps& targets = read(layer.node);
    LayerMask result(layer.connections());
    for_each_connection(layer, mask_.layers[l], [&](std::int64_t unit, std::int64_t column) {
      if (intersect(sources[column], targets[unit])) {
        result.set(unit * layer.fan_in() + column);
      }
    });
    return result;
  }

 private:
  [[nodiscard]] const Shape& input_shape(const Node& node) const {
    return network_.nodes[static_cast<std::size_t>(node.inputs[0])].shape;
  }

  static void fill_all(BitMaps& maps, const Shape& shape) {
    for (std::int64_t c = 0; c < shape.channels; ++c) {
      fill(maps[c], shape.positions());
    }
  }

  void forward(std::size_t n) {
    const Node& node = network_.nodes[n];
    BitMaps& to = reached_[n];
    switch (node.operation) {
      case Operation::input:
        fill_all(to, node.shape);
        break;
      case Operation::convolution:
      case Operation::linear: {
        const auto l = static_cast<std::size_t>(node.layer);
        const BitMaps sources = columns(reached(node.inputs[0]), input_shape(node), node);
        for_each_connection(
            network_.layers[l], mask_.layers[l],
            [&](std::int64_t unit, std::int64_t column) { unite(to[unit], sources[column]); });
        break;
      }
      case Operation::batch_norm:
      case Operation::layer_norm:
      case Operation::relu:
      case Operation::gelu:
      case Operation::drop_path:
      case Operation::add:
        for (const std::int32_t from : node.inputs) {
          for (std::int64_t c = 0; c < node.shape.channels; ++c) {
            unite(to[c], reached(from)[c]);
          }
        }
        break;
      case Operation::max_pool:
      case Operation::average_pool: {
        const std::vector<Run> runs = window_runs(input_shape(node), node);
        for (std::int64_t c = 0; c < node.shape.channels; ++c) {
          for (const Run& run : runs) {
            unite(to[c], run.output, reached(node.inputs[0])[c], run.input, run.count);
          }
        }
        break;
      }
      case Operation::global_average_pool:
        for (std::int64_t c = 0; c < node.shape.channels; ++c) {
          if (any(reached(node.inputs[0])[c])) {
            set(to[c], 0);
          }
        }
        break;
      case Operation::flatten:
        for_each_feature(node, [&](std::int64_t feature, std::int64_t c, std::int64_t position) {
          if (test(reached(node.inputs[0])[c], position)) {
            set(to[feature], 0);
          }
        });
        break;
      case Operation::tokens:
        for (std::int64_t c = 0; c < node.shape.channels; ++c) {
          unite(to[c], {1}, reached(node.inputs[0])[c], {0}, input_shape(node).positions());
        }
        break;
      case Operation::attention:
        for (const std::int32_t from : node.inputs) {
          for (std::int64_t c = 0; c < node.shape.channels; ++c) {
            if (any(reached(from)[c])) {
              fill(to[c], node.shape.positions());
            }
          }
        }
        break;
      case Operation::first_token:
        for (std::int64_t c = 0; c < node.shape.channels; ++c) {
          unite(to[c], {0}, reached(node.inputs[0])[c], {0}, 1);
        }
        break;
    }
  }

  /// Hands what is read of node n on to its inputs.
  void backward(std::size_t n) {
    const Node& node = network_.nodes[n];
    if (node.inputs.empty()) {
      return;
    }
    const BitMaps& from = read_[n];
    const Shape& input = input_shape(node);
    BitMaps& to = read_[static_cast<std::size_t>(node.inputs[0])];
    switch (node.operation) {
      case Operation::input:
        break;
      case Operation::convolution:
      case Operation::linear: {
        const auto l = static_cast<std::size_t>(node.layer);
        const Layer& layer = network_.layers[l];
        BitMaps targets(layer.fan_in(), node.shape.positions());
        for_each_connection(layer, mask_.layers[l], [&](std::int64_t unit, std::int64_t column) {
          unite(targets[column], from[unit]);
        });
        const std::vector<Run> runs = window_runs(input, node);
        for (std::int64_t c = 0; c < input.channels; ++c) {
          for (const Run& run : runs) {
            unite(to[c], run.input, targets[c * layer.taps() + run.tap], run.output, run.count);
          }
        }
        break;
      }
      case Operation::batch_norm:
      case Operation::layer_norm:
      case Operation::relu:
      case Operation::gelu:
      case Operation::drop_path:
      case Operation::add:
        for (const std::int32_t other : node.inputs) {
          for (std::int64_t c = 0; c < node.shape.channels; ++c) {
            unite(read_[static_cast<std::size_t>(other)][c], from[c]);
          }
        }
        break;
      case Operation::max_pool:
      case Operation::average_pool: {
        const std::vector<Run> runs = window_runs(input, node);
        for (std::int64_t c = 0; c < node.shape.channels; ++c) {
          for (const Run& run : runs) {
            unite(to[c], run.input, from[c], run.output, run.count);
          }
        }
        break;
      }
      case Operation::global_average_pool:
        for (std::int64_t c = 0; c < node.shape.channels; ++c) {
          if (any(from[c])) {
            fill(to[c], input.positions());
          }
        }
        break;
      case Operation::flatten:
        for_each_feature(node, [&](std::int64_t feature, std::int64_t c, std::int64_t position) {
          if (test(from[feature], 0)) {
            set(to[c], position);
          }
        });
        break;
      case Operation::tokens:
        for (std::int64_t c = 0; c < node.shape.channels; ++c) {
          unite(to[c], {0}, from[c], {1}, input.positions());
        }
        break;
      case Operation::attention:
        for (const std::int32_t other : node.inputs) {
          for (std::int64_t c = 0; c < node.shape.channels; ++c) {
            if (any(from[c])) {
              fill(read_[static_cast<std::size_t>(other)][c], input.positions());
            }
          }
        }
        break;
      case Operation::first_token:
        for (std::int64_t c = 0; c < node.shape.channels; ++c) {
          unite(to[c], {0}, from[c], {0}, 1);
        }
        break;
    }
  }

  /// Calls f(feature, channel, position) for every feature of a flatten node.
  template <typename F>
  void for_each_feature(const Node& node, F f) const {
    const std::int64_t positions = input_shape(node).positions();
    for (std::int64_t feature = 0; feature < node.shape.channels; ++feature) {
      f(feature, feature / positions, feature % positions);
    }
  }

  const Network& network_;
  const Mask& mask_;
  std::vector<BitMaps> reached_;
  std::vector<BitMaps> read_;
};

/// Whether every input-output path of the graph passes each node. All nodes lie on such a path and
/// stand in topological order, so a path can avoid a node only by an edge that jumps over it.
std::vector<bool> single_node_cuts(const Network& network) {
  std::vector<bool> cut(network.nodes.size(), true);
  for (std::size_t n = 0; n < network.nodes.size(); ++n) {
    for (const std::int32_t from : network.nodes[n].inputs) {
      std::fill(cut.begin() + from + 1, cut.begin() + static_cast<std::ptrdiff_t>(n), false);
    }
  }
  return cut;
}

std::int64_t fewest_live_channels(const Network& network, const Passes& passes) {
  const std::vector<bool> cuts = single_node_cuts(network);
  const auto live_channels = [&](std::int32_t node) {
    std::int64_t live = 0;
    for (std::int64_t c = 0; c < network.nodes[static_cast<std::size_t>(node)].shape.channels;
         ++c) {
      live += intersect(passes.reached(node)[c], passes.read(node)[c]) ? 1 : 0;
    }
    return live;
  };
  const auto last = static_cast<std::int32_t>(network.nodes.size()) - 1;
  std::int64_t fewest = std::numeric_limits<std::int64_t>::max();
  for (std::int32_t n = 1; n < last; ++n) {
    if (cuts[static_cast<std::size_t>(n)]) {
      fewest = std::min(fewest, live_channels(n));
    }
  }
  return fewest == std::numeric_limits<std::int64_t>::max() ? live_channels(last) : fewest;
}

}  // namespace

std::int64_t Reachability::disconnected_units() const {
  std::int64_t sum = 0;
  for (std::size_t l = 0; l < effective.size(); ++l) {
    const std::int64_t units = std::ssize(unread_units[l]);
    const std::int64_t fan_in = effective[l].size() / units;
    std::int64_t last = -1;
    std::int64_t on_path = 0;
    effective[l].for_each_present([&](std::int64_t i) {
      if (i / fan_in != last) {
        last = i / fan_in;
        ++on_path;
      }
    });
    sum += units - on_path;
  }
  return sum;
}

double Reachability::effective_density() const {
  std::int64_t present = 0;
  std::int64_t all = 0;
  for (const LayerMask& layer : effective) {
    present += layer.count();
    all += layer.size();
  }
  return static_cast<double>(present) / static_cast<double>(all);
}

Reachability reachability(const Network& network, const Mask& mask) {
  const Passes passes(network, mask);
  Reachability result;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    result.effective.push_back(passes.effective(l));
    std::vector<bool> unreached;
    std::vector<bool> unread;
    for (std::int64_t unit = 0; unit < layer.outputs; ++unit) {
      unreached.push_back(!any(passes.reached(layer.node)[unit]));
      unread.push_back(!any(passes.read(layer.node)[unit]));
    }
    std::vector<bool> dead(static_cast<std::size_t>(layer.inputs), true);
    for_each_connection(layer, result.effective.back(), [&](std::int64_t, std::int64_t column) {
      dead[static_cast<std::size_t>(column / layer.taps())] = false;
    });
    result.unreached_units.push_back(std::move(unreached));
    result.unread_units.push_back(std::move(unread));
    result.dead_inputs.push_back(std::move(dead));
  }
  result.fewest_live_channels = fewest_live_channels(network, passes);
  return result;
}

std::int64_t fewest_live_channels(const Network& network, const Mask& mask) {
  return fewest_live_channels(network, Passes(network, mask));
}

}  // namespace gcg
