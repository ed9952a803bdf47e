#include "growth/grow.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <string>

#include "base/error.h"
#include "growth/units.h"
#include "topology/allocation.h"

namespace gcg {

namespace {

std::string where(const Network& network, std::size_t l) {
  return fmt::format("{}: {}", network.name, network.layers[l].name);
}

/// The absent connections of a layer.
Candidates absent_of(const Mask& mask, const Scores& scores, std::size_t l) {
  return {scores.log_values[l], &mask.layers[l]};
}

/// NaN and +inf, told with the layer and the number of the connection.
void check_scores(const Network& network, const Mask& mask, const Scores& scores, std::size_t l) {
  const std::vector<double>& values = scores.log_values[l];
  for (std::size_t c = 0; c < values.size(); ++c) {
    if ((std::isnan(values[c]) || values[c] == std::numeric_limits<double>::infinity()) &&
        !mask.layers[l].test(static_cast<std::int64_t>(c))) {
      throw Error(where(network, l),
                  fmt::format("the log score of connection {} is {}", c, values[c]));
    }
  }
}

/// Sets the absent connections at the chosen positions; `position` counts on over the layers.
void set_chosen(const LayerMask& mask, std::vector<std::int64_t>::const_iterator& chosen,
                std::vector<std::int64_t>::const_iterator end, std::int64_t& position,
                LayerMask& added) {
  const std::span<const std::uint64_t> words = mask.words();
  for (std::size_t w = 0; w < words.size() && chosen != end; ++w) {
    const auto first = static_cast<std::int64_t>(64 * w);
    const std::int64_t inside = std::min<std::int64_t>(64, mask.size() - first);
    const std::int64_t absent = inside - std::popcount(words[w]);
    if (*chosen >= position + absent) {
      position += absent;
      continue;
    }
    for (std::int64_t i = first; i < first + inside; ++i) {
      if (!mask.test(i)) {
        if (chosen != end && *chosen == position) {
          added.set(i);
          ++chosen;
        }
        ++position;
      }
    }
  }
}

}  // namespace

Mask select_global(const Network& network, const Mask& mask, const Scores& scores,
                   std::int64_t count, const SamplingLaw& law, RandomStream stream) {
  check_sizes(network, mask);
  check_sizes(network, scores);
  std::vector<Candidates> candidates;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    check_scores(network, mask, scores, l);
    candidates.push_back(absent_of(mask, scores, l));
  }
  const std::vector<std::int64_t> positions =
      sample_without_replacement(candidates, count, law, stream, network.name);
  Mask added(network, false);
  auto chosen = positions.begin();
  std::int64_t position = 0;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    set_chosen(mask.layers[l], chosen, positions.end(), position, added.layers[l]);
  }
  return added;
}

Mask select_by_quota(const Network& network, const Mask& mask, const Scores& scores,
                     const std::vector<std::int64_t>& quotas, const SamplingLaw& law,
                     const RandomStream& stream) {
  check_sizes(network, mask);
  check_sizes(network, scores);
  if (quotas.size() != network.layers.size()) {
    throw Error(network.name, fmt::format("quotas for {} layers, the network has {}", quotas.size(),
                                          network.layers.size()));
  }
  // stream.at(l) alone would forget the index (the stage) of the stream that was given.
  const std::uint64_t key = RandomStream(stream).next_u64();
  Mask added(network, false);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    check_scores(network, mask, scores, l);
    const Candidates candidates = absent_of(mask, scores, l);
    RandomStream layer_stream(key, "layer-selection", l);
    const std::vector<std::int64_t> positions = sample_without_replacement(
        std::span(&candidates, 1), quotas[l], law, layer_stream, where(network, l));
    auto chosen = positions.begin();
    std::int64_t position = 0;
    set_chosen(mask.layers[l], chosen, positions.end(), position, added.layers[l]);
  }
  return added;
}

std::vector<std::int64_t> quotas_towards(const Network& network, const Mask& mask,
                                         const std::vector<std::int64_t>& target,
                                         std::int64_t count) {
  check_sizes(network, mask);
  const std::size_t layers = network.layers.size();
  if (target.size() != layers) {
    throw Error(network.name,
                fmt::format("a target for {} layers, the network has {}", target.size(), layers));
  }
  const std::int64_t absent = mask.connections() - mask.present();
  if (count < 0 || count > absent) {
    throw Error(network.name,
                fmt::format("{} new connections asked for, {} are absent", count, absent));
  }
  const std::vector<std::int64_t> present = mask.counts();
  std::vector<std::int64_t> room(layers);
  std::vector<std::int64_t> deficit(layers);
  for (std::size_t l = 0; l < layers; ++l) {
    const std::int64_t size = network.layers[l].connections();
    if (target[l] < 0 || target[l] > size) {
      throw Error(where(network, l),
                  fmt::format("a target of {} of {} connections", target[l], size));
    }
    room[l] = size - present[l];
    deficit[l] = std::max<std::int64_t>(0, target[l] - present[l]);
  }

  std::vector<std::int64_t> quotas(layers, 0);
  // Hands out as much as the capacities take, in proportion to the shares.
  const auto hand_out = [&](const std::vector<std::int64_t>& shares,
                            std::vector<std::int64_t> capacity) {
    std::int64_t total = 0;
    for (std::size_t l = 0; l < layers; ++l) {
      capacity[l] = shares[l] > 0 ? capacity[l] : 0;
      total += capacity[l];
    }
    const std::int64_t part = std::min(count, total);
    const std::vector<std::int64_t> given =
        largest_remainder(std::vector<double>(shares.begin(), shares.end()), part, capacity);
    for (std::size_t l = 0; l < layers; ++l) {
      quotas[l] += given[l];
      room[l] -= given[l];
    }
    count -= part;
  };
  hand_out(deficit, deficit);
  hand_out(target, room);
  hand_out(room, room);  // layers whose target is 0, only when all others are full
  return quotas;
}

void add_connections(const Network& network, TrainingState& state, const Mask& added,
                     NewWeight start, const Parameters& initial, RandomStream stream) {
  check_sizes(network, added);
  check_sizes(network, state.mask);
  check_sizes(network, state.values);
  check_sizes(network, initial);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    added.layers[l].for_each_present([&](std::int64_t i) {
      if (state.mask.layers[l].test(i)) {
        throw Error(where(network, l), fmt::format("connection {} is present already", i));
      }
    });
  }
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const double deviation = 0.1 * std::sqrt(2.0 / static_cast<double>(network.layers[l].fan_in()));
    added.layers[l].for_each_present([&](std::int64_t i) {
      const auto index = static_cast<std::size_t>(i);
      float weight = 0;
      switch (start) {
        case NewWeight::zero:
          break;
        case NewWeight::initial:
          weight = initial.weights[l][index];
          break;
        case NewWeight::small_random:
          weight = static_cast<float>(deviation * stream.normal());
          break;
      }
      state.values.weights[l][index] = weight;
      clear_slots(state, l, index);
    });
  }
  unite(state.mask, added);
}

Repair repair_dead_units(const Network& network, const Mask& mask, RandomStream stream,
                         std::int64_t budget) {
  UnitDegrees degrees = unit_degrees(network, mask);
  Repair repair{Mask(network, false), Mask(network, false), 0};
  const auto add = [&](Mask& to, const Connection& connection) {
    to.layers[static_cast<std::size_t>(connection.layer)].set(connection.index);
    change_degrees(degrees, network, connection, 1);
    ++repair.connections;
  };
  for (std::int32_t layer = 0; layer < std::ssize(network.layers); ++layer) {
    const auto l = static_cast<std::size_t>(layer);
    for (std::int64_t unit = 0; unit < network.layers[l].outputs; ++unit) {
      const auto u = static_cast<std::size_t>(unit);
      if (degrees.readers[l].empty() || degrees.incoming[l][u] > 0 || degrees.outgoing[l][u] > 0) {
        continue;
      }
      if (budget - repair.connections < 2) {
        return repair;
      }
      add(repair.incoming, draw_incoming(network, layer, unit, stream));
      add(repair.outgoing, draw_outgoing(degrees, network, layer, unit, stream));
    }
  }
  return repair;
}

}  // namespace gcg
