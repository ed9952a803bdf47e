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

/// What happens when a mask leaves units on no input-output path, or a layer without connections.
enum class DisconnectedPolicy : std::uint8_t { fail, warn, repair };

/// What a seed rule makes its mask from.
struct SeedRequest {
  const Network& network;
  const Parameters& initial;  ///< fresh dense weights
  std::int64_t present = 0;   ///< connections the mask shall have
  std::uint64_t seed = 1;
  CurvatureSource curvature{};         ///< for grasp
  GradientSource gradients{};          ///< for rules that look at training images
  std::int64_t batches = 1;            ///< of images
  std::int64_t rounds = 100;           ///< of SynFlow
  bool inverted = false;               ///< keep the smallest scores: a control
  std::filesystem::path allocation{};  ///< file of densities per layer, for the rule table
};

/// A mask of a seed rule.
struct SeedMask {
  Mask mask{};
  std::string context{};    ///< how its scores came about; empty if there are none
  double sweep_flops = 0;   ///< of scores without images
  Allocation allocation{};  ///< that set the layer counts; empty if there is none
  std::string remark{};     ///< what was not as asked for; empty if there is nothing to tell
};

/// One row of the table of seed rules: makes a mask of exactly `present` connections on fresh
/// weights.
struct SeedRule {
  std::string_view name;
  std::string_view about;
  std::string_view reference;
  DisconnectedPolicy default_policy;
  bool scored;  ///< ranks connections by a score: can be inverted
  bool images;  ///< looks at training images
  SeedMask (*make)(const SeedRequest&);
};

/// phew; random, uniform, uniform_dense_first, er, erk, table (layer counts from the allocation of
/// that name or from a file; at random within layers); magnitude, snip, grasp, synflow (the largest
/// scores); dense (an Error unless all connections are asked for). Stream: "seed-mask".
std::span<const SeedRule> seed_rule_table();
const SeedRule& find_seed_rule(std::string_view name);

/// round(density x connections), checked to be in [1, connections]; density in (0, 1].
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

/// What became of a mask under the policy for units on no path.
struct Connected {
  std::int64_t disconnected = 0;  ///< units on no path (hidden or output), before a repair
  std::int64_t moved = 0;         ///< connections moved by a repair (the count stays exact)
  std::string warning;            ///< for the policy warn; empty if there is nothing to tell
};

/// Applies the policy to the units that are on no path of the real network
/// (topology/reachability.h), wherever the mask comes from (`origin` in messages). fail: an Error
/// that names the first disconnected unit and the counts, or the first layer left without any
/// connection; repair: every unit without incoming connection gets one, every hidden unit without
/// outgoing connection gets one, drawn uniformly; as many are taken, one by one and at random, from
/// the layer with most that still has a connection whose loss leaves no unit without one. The count
/// stays exact. Errors of the repair: no connection left to take; units still on no path after
/// several tries. Input channels that are never used are exempt. `denser` says what an Error tells
/// to ask for, where that has to be found out. Stream: "seed-repair".
Connected apply_policy(const Network& network, Mask& mask, DisconnectedPolicy policy,
                       std::string_view origin, std::uint64_t seed,
                       const std::function<std::string()>& denser = {});

/// Makes the mask and applies the policy to it.
Seed make_seed(const SeedRequest& request, std::string_view rule, DisconnectedPolicy policy);

/// The same for rules that need no more than this.
Seed make_seed(const Network& network, const Parameters& initial, std::string_view rule,
               double density, DisconnectedPolicy policy, std::uint64_t seed);

}  // namespace gcg
