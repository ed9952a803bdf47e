#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "graph/network.h"
#include "graph/parameters.h"
#include "score/gradient_score.h"
#include "topology/allocation.h"
#include "topology/mask.h"

namespace gcg {

/// What to do if a mask leaves units on no input-output path, or a layer without connections.
enum class DisconnectedPolicy : std::uint8_t { fail, warn, repair };

/// What a seed rule gets to make its mask from.
struct SeedRequest {
  const Network& network;
  const Parameters& initial;  ///< fresh dense weights
  std::int64_t present = 0;   ///< connections that the mask must have
  std::uint64_t seed = 1;
  CurvatureSource curvature{};         ///< for grasp
  GradientSource gradients{};          ///< for rules that use training images
  std::int64_t batches = 1;            ///< of images
  std::int64_t rounds = 100;           ///< of SynFlow
  bool inverted = false;               ///< keep the smallest scores, as a control
  std::filesystem::path allocation{};  ///< file of densities per layer, for the rule `table`
};

/// The mask that a seed rule made.
struct SeedMask {
  Mask mask{};
  std::string context{};    ///< how its scores were computed; empty if there are none
  double sweep_flops = 0;   ///< FLOPs of scores without images
  Allocation allocation{};  ///< that gave the layer counts; empty if none did
  std::string remark{};     ///< what differs from what was asked for; or empty
};

/// One row of the table of seed rules: makes a mask of exactly `present` connections from fresh
/// weights.
struct SeedRule {
  std::string_view name;
  std::string_view about;
  std::string_view reference;
  DisconnectedPolicy default_policy;
  bool scored;  ///< ranks connections by a score, so it can be inverted
  bool images;  ///< uses training images
  SeedMask (*make)(const SeedRequest&);
};

/// phew; random, uniform, uniform_dense_first, er, erk, table (layer counts from the allocation of
/// that name or from a file, random within layers); magnitude, snip, grasp, synflow (the largest
/// scores); dense (an Error unless all connections are asked for). Stream: "seed-mask".
std::span<const SeedRule> seed_rule_table();
const SeedRule& find_seed_rule(std::string_view name);

/// round(density x connections). Errors: a density outside of (0, 1], a result below 1.
std::int64_t present_for_density(const Network& network, double density);

struct Seed {
  Mask mask;
  std::int64_t disconnected = 0;  ///< units on no path (hidden or output), before a repair
  std::int64_t moved = 0;         ///< connections moved by a repair (the count stays exact)
  std::string warning;            ///< for the policy warn; empty if there is nothing to tell
  Allocation allocation;          ///< as SeedMask
  std::string context;            ///< as SeedMask
  std::string remark;             ///< as SeedMask
  double sweep_flops = 0;
};

/// What the policy for units on no path found and did.
struct Connected {
  std::int64_t disconnected = 0;  ///< units on no path (hidden or output), before a repair
  std::int64_t moved = 0;         ///< connections moved by a repair (the count stays exact)
  std::string warning;            ///< for the policy warn; empty if there is nothing to tell
};

/// Applies the policy to the units of a mask that are on no path of the network
/// (topology/reachability.h). `origin` says in messages where the mask comes from. fail: an Error
/// names the first such unit, the counts and the first layer without connections. repair: every
/// unit without an incoming connection gets one, and every hidden unit without an outgoing one gets
/// one, drawn uniformly; the same number is then removed, one by one at random, always from the
/// largest layer that still has a connection whose loss leaves no unit without one. The count stays
/// exact. Errors of the repair: nothing left to remove; units still on no path after several tries.
/// Unused input channels do not count. `denser` gives the Error's advice if that must be computed.
/// Stream: "seed-repair".
Connected apply_policy(const Network& network, Mask& mask, DisconnectedPolicy policy,
                       std::string_view origin, std::uint64_t seed,
                       const std::function<std::string()>& denser = {});

/// Makes the mask and applies the policy to it.
Seed make_seed(const SeedRequest& request, std::string_view rule, DisconnectedPolicy policy);

/// The same for rules that need nothing else.
Seed make_seed(const Network& network, const Parameters& initial, std::string_view rule,
               double density, DisconnectedPolicy policy, std::uint64_t seed);

}  // namespace gcg
