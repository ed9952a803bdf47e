#include "growth/seed.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "growth/units.h"
#include "topology/reachability.h"

namespace gcg {

namespace {

constexpr std::string_view kRepairStream = "seed-repair";

/// Tries of a repair: a drawn tap may read nothing but padding, which the degrees do not see.
constexpr std::uint64_t kRepairTries = 20;

/// Units on no path: those without an effective incoming connection.
struct Disconnected {
  std::int64_t count = 0;
  std::string first;  ///< "LAYER unit U"
};

Disconnected disconnected_units(const Network& network, const Mask& mask) {
  const Reachability reach = reachability(network, mask);
  Disconnected result;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    std::vector<bool> on_path(static_cast<std::size_t>(layer.outputs), false);
    reach.effective[l].for_each_present(
        [&](std::int64_t i) { on_path[static_cast<std::size_t>(i / layer.fan_in())] = true; });
    for (std::size_t u = 0; u < on_path.size(); ++u) {
      if (!on_path[u] && result.count++ == 0) {
        result.first = fmt::format("{} unit {}", layer.name, u);
      }
    }
  }
  return result;
}

/// "; LAYER and 2 others have no connection left", or nothing.
std::string collapsed_layers(const Network& network, const Mask& mask) {
  std::string first;
  std::int64_t others = 0;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    if (mask.layers[l].count() == 0) {
      others += first.empty() ? 0 : 1;
      first = first.empty() ? network.layers[l].name : first;
    }
  }
  if (first.empty()) {
    return {};
  }
  return others == 0 ? fmt::format("; {} has no connection left", first)
                     : fmt::format("; {} and {} others have no connection left", first, others);
}

std::int64_t unit_count(const Network& network) {
  std::int64_t sum = 0;
  for (const Layer& layer : network.layers) {
    sum += layer.outputs;
  }
  return sum;
}

/// Gives every unit that lacks a side one connection there. Returns how many were added.
std::int64_t connect_units(const Network& network, Mask& mask, UnitDegrees& degrees,
                           RandomStream& stream) {
  std::int64_t added = 0;
  const auto add = [&](const Connection& connection) {
    mask.layers[static_cast<std::size_t>(connection.layer)].set(connection.index);
    change_degrees(degrees, network, connection, 1);
    ++added;
  };
  for (std::int32_t layer = 0; layer < std::ssize(network.layers); ++layer) {
    const auto l = static_cast<std::size_t>(layer);
    for (std::int64_t unit = 0; unit < network.layers[l].outputs; ++unit) {
      if (degrees.incoming[l][static_cast<std::size_t>(unit)] == 0) {
        add(draw_incoming(network, layer, unit, stream));
      }
      if (!degrees.readers[l].empty() && degrees.outgoing[l][static_cast<std::size_t>(unit)] == 0) {
        add(draw_outgoing(degrees, network, layer, unit, stream));
      }
    }
  }
  return added;
}

/// Takes `count` surplus connections away. Degrees only fall, so a connection that is needed now
/// stays needed: one pass over each layer's connections in random order is enough.
void take_surplus(const Network& network, Mask& mask, UnitDegrees& degrees, std::int64_t count,
                  RandomStream& stream) {
  std::vector<std::vector<std::int64_t>> left;  // per layer, drawn from the back
  for (const LayerMask& layer : mask.layers) {
    std::vector<std::int64_t>& present = left.emplace_back();
    layer.for_each_present([&](std::int64_t i) { present.push_back(i); });
    stream.shuffle(std::span(present));
  }
  std::vector<std::int64_t> counts = mask.counts();
  const auto next_surplus = [&](std::size_t l) -> std::optional<Connection> {
    while (!left[l].empty()) {
      const Connection connection{static_cast<std::int32_t>(l), left[l].back()};
      left[l].pop_back();
      if (is_surplus(degrees, network, connection)) {
        return connection;
      }
    }
    return std::nullopt;
  };
  while (count > 0) {
    const auto most =
        static_cast<std::size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin());
    if (counts[most] < 0) {
      throw Error(network.name,
                  fmt::format("the seed cannot connect all {} units: {} connections too few",
                              unit_count(network), count),
                  "ask for a higher density");
    }
    if (const std::optional<Connection> connection = next_surplus(most)) {
      mask.layers[most].reset(connection->index);
      change_degrees(degrees, network, *connection, -1);
      --counts[most];
      --count;
    } else {
      counts[most] = -1;  // exhausted
    }
  }
}

/// The smallest density, within two percent, at which a rule leaves no unit out: found by doubling
/// and bisection, and tried.
std::optional<double> connecting_density(const SeedRequest& request, const SeedRule& rule) {
  const Network& network = request.network;
  const std::int64_t all = network.connections();
  const auto connects = [&](std::int64_t present) {
    SeedRequest other = request;
    other.present = present;
    try {
      return disconnected_units(network, rule.make(other).mask).count == 0;
    } catch (const Error&) {
      return false;  // a density that the rule cannot reach
    }
  };
  std::int64_t low = request.present;
  std::int64_t high = low;
  while (high == low || !connects(high)) {
    if (high >= all) {
      return std::nullopt;
    }
    low = high;
    high = std::min(2 * high, all);
  }
  while (50 * (high - low) > low) {
    const std::int64_t middle = low + (high - low) / 2;
    (connects(middle) ? high : low) = middle;
  }
  // As it is printed: four digits, rounded up.
  return std::ceil(1e4 * static_cast<double>(high) / static_cast<double>(all)) / 1e4;
}

/// Returns how many connections moved.
std::int64_t repair(const Network& network, Mask& repaired, std::uint64_t number) {
  const RandomStream streams(number, kRepairStream);
  Disconnected rest;
  for (std::uint64_t attempt = 0; attempt < kRepairTries; ++attempt) {
    RandomStream stream = streams.at(attempt);
    Mask mask = repaired;
    UnitDegrees degrees = unit_degrees(network, mask);
    const std::int64_t moved = connect_units(network, mask, degrees, stream);
    take_surplus(network, mask, degrees, moved, stream);
    rest = disconnected_units(network, mask);
    if (rest.count == 0) {
      repaired = std::move(mask);
      return moved;
    }
  }
  throw Error(fmt::format("{}: {}", network.name, rest.first),
              fmt::format("still on no path after {} repairs, as {} of {} units", kRepairTries,
                          rest.count, unit_count(network)),
              "ask for a higher density");
}

}  // namespace

std::int64_t present_for_density(const Network& network, double density) {
  if (!(density > 0 && density <= 1)) {
    throw Error(network.name, fmt::format("density {} is not in (0, 1]", density));
  }
  const std::int64_t present = std::llround(density * static_cast<double>(network.connections()));
  if (present < 1) {
    throw Error(network.name, fmt::format("density {} of {} connections leaves none", density,
                                          network.connections()));
  }
  return present;
}

Connected apply_policy(const Network& network, Mask& mask, DisconnectedPolicy policy,
                       std::string_view origin, std::uint64_t seed,
                       const std::function<std::string()>& denser) {
  const Disconnected disconnected = disconnected_units(network, mask);
  Connected result;
  result.disconnected = disconnected.count;
  if (disconnected.count == 0) {
    return result;
  }
  const std::string problem = fmt::format(
      "{} of {} units are on no input-output path ({}, density {:.3g}){}", disconnected.count,
      unit_count(network), origin, mask.density(), collapsed_layers(network, mask));
  const std::string where = fmt::format("{}: {}", network.name, disconnected.first);
  switch (policy) {
    case DisconnectedPolicy::fail:
      throw Error(where, problem,
                  fmt::format("ask for {}, another mask or --disconnected repair",
                              denser ? denser() : "a higher density"));
    case DisconnectedPolicy::warn:
      result.warning = fmt::format("{}: {}", where, problem);
      break;
    case DisconnectedPolicy::repair:
      result.moved = repair(network, mask, seed);
      break;
  }
  return result;
}

Seed make_seed(const SeedRequest& request, std::string_view rule, DisconnectedPolicy policy) {
  const SeedRule& row = find_seed_rule(rule);
  SeedMask made = row.make(request);
  Seed result;
  result.mask = std::move(made.mask);
  result.allocation = std::move(made.allocation);
  result.context = std::move(made.context);
  result.remark = std::move(made.remark);
  result.sweep_flops = made.sweep_flops;
  Connected connected = apply_policy(
      request.network, result.mask, policy, fmt::format("seed rule {}", rule), request.seed, [&] {
        const auto enough = connecting_density(request, row);
        return enough ? fmt::format("density {:.4f}, at which there is none", *enough)
                      : std::string("a higher density");
      });
  result.disconnected = connected.disconnected;
  result.moved = connected.moved;
  result.warning = std::move(connected.warning);
  return result;
}

Seed make_seed(const Network& network, const Parameters& initial, std::string_view rule,
               double density, DisconnectedPolicy policy, std::uint64_t seed) {
  return make_seed({network, initial, present_for_density(network, density), seed}, rule, policy);
}

}  // namespace gcg
