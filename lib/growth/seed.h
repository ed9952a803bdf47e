#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "graph/network.h"
#include "graph/parameters.h"
#include "topology/mask.h"

namespace gcg {

/// What happens when a mask leaves hidden units on no input-output path.
enum class DisconnectedPolicy : std::uint8_t { fail, warn, repair };

/// One row of the table of seed rules: makes a mask of exactly `present` connections on fresh weights.
struct SeedRule {
  std::string_view name;
  std::string_view about;
  std::string_view reference;
  DisconnectedPolicy default_policy;
  Mask (*make)(const Network&, const Parameters& initial, std::int64_t present, std::uint64_t seed);
};

/// phew, random (uniform over all connections), erk (exact ERK counts, random within layers), dense.
std::span<const SeedRule> seed_rule_table();
const SeedRule& find_seed_rule(std::string_view name);

/// round(density x connections), checked to be in [1, connections]; density in (0, 1].
std::int64_t present_for_density(const Network& network, double density);

struct Seed {
  Mask mask;
  std::int64_t disconnected = 0;  ///< hidden units on no path, before a repair
  std::int64_t moved = 0;         ///< connections moved by a repair (the count stays exact)
  std::string warning;            ///< for the policy warn; empty if there is nothing to tell
};

/// Makes the mask and applies the policy. fail: an Error that names the first disconnected unit and
/// the counts; repair: every disconnected unit gets one incoming and one outgoing connection, taken
/// from connections that are not needed (surplus of the layer with most), the count stays exact.
/// Input channels that are never used are exempt. Streams: "seed-mask", "seed-repair".
Seed make_seed(const Network& network, const Parameters& initial, std::string_view rule,
               double density, DisconnectedPolicy policy, std::uint64_t seed);

}  // namespace gcg
