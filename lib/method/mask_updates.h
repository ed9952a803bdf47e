#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/options.h"
#include "growth/seed.h"
#include "score/score_table.h"
#include "topology/mask.h"
#include "train/method.h"

namespace gcg {

/// Mask updates during a phase: how often, until when, and what share of each layer moves.
struct UpdateOptions {
  double interval = 100;  ///< updates of batch 128: one every interval x 128 images
  double until = 0.75;    ///< share of the training after which the mask stays
  double fraction = 0.3;  ///< of a layer's present connections at the start, cosine-decayed to 0
};

/// Relative errors of a product of shares: far below the digits that an option is written with.
inline constexpr double kRoundingErrors = 1e-12;

void add_interval_options(OptionList& list, UpdateOptions& options);
void add_fraction_option(OptionList& list, UpdateOptions& options);

/// A phase of the whole recipe with the options' updates; stretched recipes stretch the interval.
/// Error: no update fits.
Phase updated_phase(Role role, const UpdateOptions& options, const MethodContext& context);

/// Share of the way from the first update of the phase to its last one, in (0, 1].
double progress(const Phase& phase, std::int64_t done);

/// Number of a batch that no other update of the run uses.
std::uint64_t update_batch(const Phase& phase, std::int64_t done);

/// Keeps the `keep` largest present weights of the network, whole or by layer counts; an Error or a
/// warning where a layer loses all, by the policy.
void prune_magnitude(MethodContext& context, std::int64_t keep, DisconnectedPolicy policy,
                     std::uint64_t number);
void prune_magnitude(MethodContext& context, const std::vector<std::int64_t>& counts,
                     std::uint64_t number);

/// The connections that pruning to the density of `option` ends with. Errors: it leaves none, or
/// fewer than there are layers where the policy has every layer keep one: both would else be told
/// when the last update comes.
std::int64_t pruning_target(const Network& network, std::string_view option, double density,
                            DisconnectedPolicy policy);

/// For a mask that a phase ends on: if no path leads from input to output, an Error (`fail`) or a
/// warning, once in a run. Single units on no path are what pruning by rank leaves, and the
/// statistics of the mask count them. `repair` warns too: a path would have to be drawn at random
/// in place of connections that the method ranked higher.
void check_paths(MethodContext& context, DisconnectedPolicy policy);

/// How regrown connections are chosen.
struct Regrowth {
  std::string rule = "gradient";  ///< of the table of scores
  bool sampled = false;           ///< in proportion to the score, else the largest
  bool across_layers = false;     ///< smallest weights and best scores of the network, not by layer
};

/// Drops the share `fraction` of the present connections with the smallest |w| and grows as many by
/// the rule, at weight 0 with empty slots; what was dropped is no candidate. By layer, or across
/// layers, where the best connection of every layer stays: no layer is emptied. A layer that has
/// fewer absent connections than it should move moves those. Returns how many moved.
std::int64_t drop_and_grow(MethodContext& context, const Regrowth& regrowth, double fraction,
                           std::uint64_t number);

/// Connections after a share u of pruning from `start` to `target` by the cubic law (Zhu & Gupta
/// 2018): target + (start - target) (1 - u)^3, exactly target at u = 1.
std::int64_t cubic_present(std::int64_t start, std::int64_t target, double u);

/// The planned course of a training in which the cubic law leads from one density to another, in
/// parts of equal length until the last update. `gradients`: dense gradients of every update.
std::vector<PlannedPart> cubic_course(double start, double target, const Recipe& recipe,
                                      const UpdateOptions& options, double gradients);

/// "collapse": what to do about a layer that pruning would leave without connections, or a network
/// without a path.
void add_collapse_option(OptionList& list, std::string& policy);

}  // namespace gcg
