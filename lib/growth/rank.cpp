#include "growth/rank.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "base/error.h"

namespace gcg {

namespace {

std::string where(const Network& network, std::size_t l) {
  return fmt::format("{}: {}", network.name, network.layers[l].name);
}

void check_inputs(const Network& network, const Mask& candidates, const Scores& scores) {
  check_sizes(network, candidates);
  check_sizes(network, scores);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    candidates.layers[l].for_each_present([&](std::int64_t i) {
      if (std::isnan(scores.log_values[l][static_cast<std::size_t>(i)])) {
        throw Error(where(network, l), fmt::format("the score of connection {} is NaN", i));
      }
    });
  }
}

/// The first `count` of the candidates of layers [first, end) in the order of `before`.
template <typename Before>
void take(const Network& network, const Mask& candidates, const Scores& scores, std::size_t first,
          std::size_t end, std::int64_t count, RandomStream stream, Before before, Mask& taken) {
  std::vector<double> values;
  for (std::size_t l = first; l < end; ++l) {
    candidates.layers[l].for_each_present([&](std::int64_t i) {
      values.push_back(scores.log_values[l][static_cast<std::size_t>(i)]);
    });
  }
  if (count < 0 || count > std::ssize(values)) {
    throw Error(end - first == 1 ? where(network, first) : network.name,
                fmt::format("{} of {} connections are to be chosen", count, values.size()));
  }
  if (count == 0) {
    return;
  }
  // Only the edge matters: what lies before it is taken, and of those that equal it as many as are
  // left, each in its turn with the probability left / remaining.
  const auto edge = values.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(values.begin(), edge, values.end(), before);
  const double limit = *edge;
  std::int64_t equal = 0;
  std::int64_t left = count;
  for (const double value : values) {
    equal += value == limit ? 1 : 0;
    left -= before(value, limit) ? 1 : 0;
  }
  for (std::size_t l = first; l < end; ++l) {
    candidates.layers[l].for_each_present([&](std::int64_t i) {
      const double value = scores.log_values[l][static_cast<std::size_t>(i)];
      if (before(value, limit)) {
        taken.layers[l].set(i);
      } else if (value == limit) {
        const bool all = left == equal;
        if (left > 0 && (all || static_cast<std::int64_t>(
                                    stream.below(static_cast<std::uint64_t>(equal))) < left)) {
          taken.layers[l].set(i);
          --left;
        }
        --equal;
      }
    });
  }
}

template <typename Before>
Mask take_globally(const Network& network, const Mask& candidates, const Scores& scores,
                   std::int64_t count, const RandomStream& stream, Before before) {
  check_inputs(network, candidates, scores);
  Mask taken(network, false);
  take(network, candidates, scores, 0, network.layers.size(), count, stream, before, taken);
  return taken;
}

template <typename Before>
Mask take_by_layer(const Network& network, const Mask& candidates, const Scores& scores,
                   const std::vector<std::int64_t>& counts, const RandomStream& stream,
                   Before before) {
  check_inputs(network, candidates, scores);
  if (counts.size() != network.layers.size()) {
    throw Error(network.name, fmt::format("numbers for {} layers, the network has {}",
                                          counts.size(), network.layers.size()));
  }
  // A layer's choice depends on the stream and its index, not on the layers before it.
  const std::uint64_t key = RandomStream(stream).next_u64();
  Mask taken(network, false);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    take(network, candidates, scores, l, l + 1, counts[l], RandomStream(key, "layer-rank", l),
         before, taken);
  }
  return taken;
}

std::string collapse_text(const Network& network, const std::vector<std::size_t>& collapsed,
                          std::int64_t keep) {
  return fmt::format("has no connection left of {} ({} of {} layers; {} connections kept in all)",
                     network.layers[collapsed.front()].connections(), collapsed.size(),
                     network.layers.size(), keep);
}

}  // namespace

Mask without(Mask a, const Mask& b) {
  for (std::size_t l = 0; l < a.layers.size(); ++l) {
    b.layers[l].for_each_present([&](std::int64_t i) { a.layers[l].reset(i); });
  }
  return a;
}

Mask absent(const Network& network, const Mask& mask) { return without(Mask(network, true), mask); }

Mask largest_scores(const Network& network, const Mask& candidates, const Scores& scores,
                    std::int64_t count, const RandomStream& stream) {
  return take_globally(network, candidates, scores, count, stream, std::greater<>());
}

Mask smallest_scores(const Network& network, const Mask& candidates, const Scores& scores,
                     std::int64_t count, const RandomStream& stream) {
  return take_globally(network, candidates, scores, count, stream, std::less<>());
}

Mask largest_scores(const Network& network, const Mask& candidates, const Scores& scores,
                    const std::vector<std::int64_t>& counts, const RandomStream& stream) {
  return take_by_layer(network, candidates, scores, counts, stream, std::greater<>());
}

Mask smallest_scores(const Network& network, const Mask& candidates, const Scores& scores,
                     const std::vector<std::int64_t>& counts, const RandomStream& stream) {
  return take_by_layer(network, candidates, scores, counts, stream, std::less<>());
}

Pruned prune(const Network& network, const Mask& mask, const Scores& scores, std::int64_t keep,
             DisconnectedPolicy policy, const RandomStream& stream) {
  Pruned result;
  result.mask = largest_scores(network, mask, scores, keep, stream);
  std::vector<std::size_t> collapsed;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    if (result.mask.layers[l].count() == 0 && mask.layers[l].count() > 0) {
      collapsed.push_back(l);
    }
  }
  if (collapsed.empty()) {
    return result;
  }
  const std::string place = where(network, collapsed.front());
  const std::string problem = collapse_text(network, collapsed, keep);
  switch (policy) {
    case DisconnectedPolicy::fail:
      throw Error(place, problem, "ask for a higher density or the policy repair");
    case DisconnectedPolicy::warn:
      result.warning = fmt::format("{}: {}", place, problem);
      return result;
    case DisconnectedPolicy::repair:
      result.warning = fmt::format("{}: {}: its best one stays", place, problem);
      break;
  }
  // The worst of what is kept makes room: of every layer all but its best may go.
  const RandomStream streams = stream.at(1);
  std::vector<std::int64_t> spare = result.mask.counts();
  std::vector<std::int64_t> one(network.layers.size(), 0);
  for (std::size_t l = 0; l < spare.size(); ++l) {
    spare[l] = std::max<std::int64_t>(0, spare[l] - 1);
  }
  for (const std::size_t l : collapsed) {
    one[l] = 1;
  }
  result.repaired = std::ssize(collapsed);
  const Mask removable = smallest_scores(network, result.mask, scores, spare, streams);
  if (removable.present() < result.repaired) {
    throw Error(place,
                fmt::format("{} connections cannot serve {} layers", keep, network.layers.size()),
                "ask for a higher density");
  }
  const Mask kept = largest_scores(network, mask, scores, one, streams);
  result.mask =
      without(result.mask, smallest_scores(network, removable, scores, result.repaired, streams));
  unite(result.mask, kept);
  return result;
}

void remove_connections(const Network& network, TrainingState& state, const Mask& removed) {
  check_sizes(network, removed);
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    removed.layers[l].for_each_present([&](std::int64_t i) {
      if (!state.mask.layers[l].test(i)) {
        throw Error(where(network, l), fmt::format("connection {} is absent already", i));
      }
      const auto c = static_cast<std::size_t>(i);
      state.mask.layers[l].reset(i);
      state.values.weights[l][c] = 0;
      clear_slots(state, l, c);
    });
  }
}

}  // namespace gcg
