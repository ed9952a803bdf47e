#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "graph/network.h"
#include "graph/parameters.h"
#include "topology/mask.h"

namespace gcg {

/// What happens when a mask leaves units on no input-output path.
enum class DisconnectedPolicy : std::uint8_t { fail, warn, repair };

/// One row of the table of seed rules: makes a mask of exactly `present` connections on fresh
/// weights.
struct SeedRule {
  std::string_view name;
  std::string_view about;
  std::string_view reference;
  DisconnectedPolicy default_policy;
  Mask (*make)(const Network&, const Parameters& initial, std::int64_t present, std::uint64_t seed);
};

/// phew, random (uniform over all connections), erk (exact ERK counts, random within layers), dense
/// (an Error unless all connections are asked for).
std::span<const SeedRule> seed_rule_table();
const SeedRule& find_seed_rule(std::string_view name);

/// round(density x connections), checked to be in [1, connections]; density in (0, 1].
std::int64_t present_for_density(const Network& network, double density);

struct Seed {
  Mask mask;
  std::int64_t disconnected = 0;  ///< units on no path (hidden or output), before a repair
  std::int64_t moved = 0;         ///< connections moved by a repair (the count stays exact)
  std::string warning;            ///< for the policy warn; empty if there is nothing to tell
};

/// Makes the mask and applies the policy to the units that are on no path of the real network
/// (topology/reachability.h). fail: an Error that names the first disconnected unit and the counts;
/// repair: every unit without incoming connection gets one, every hidden unit without outgoing
/// connection gets one, drawn uniformly; as many are taken, one by one and at random, from the
/// layer with most that still has a connection whose loss leaves no unit without one. The count
/// stays exact. Errors of the repair: no connection left to take; units still on no path after
/// several tries. Input channels that are never used are exempt. Streams: "seed-mask",
/// "seed-repair".
Seed make_seed(const Network& network, const Parameters& initial, std::string_view rule,
               double density, DisconnectedPolicy policy, std::uint64_t seed);

}  // namespace gcg
