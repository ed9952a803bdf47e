#include "method/mask_updates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "growth/grow.h"
#include "growth/rank.h"
#include "method/growth_rule.h"
#include "method/stage_training.h"
#include "method/warn_once.h"
#include "topology/reachability.h"

namespace gcg {

namespace {

/// Share of the uniform law in sampled regrowth, so that a layer on no path can be regrown.
constexpr double kUniformShare = 0.01;

/// Of each layer's present connections, as many as can go elsewhere in it.
std::vector<std::int64_t> movable(const Mask& mask, double fraction) {
  std::vector<std::int64_t> counts;
  for (const LayerMask& layer : mask.layers) {
    const std::int64_t present = layer.count();
    const std::int64_t wanted = std::llround(fraction * static_cast<double>(present));
    counts.push_back(std::min(wanted, layer.size() - present));
  }
  return counts;
}

/// The present connection of the largest score of every layer that has one.
Mask best_of_each_layer(const Network& network, const Mask& mask, const Scores& scores,
                        const RandomStream& stream) {
  std::vector<std::int64_t> one;
  for (const LayerMask& layer : mask.layers) {
    one.push_back(std::min<std::int64_t>(1, layer.count()));
  }
  return largest_scores(network, mask, scores, one, stream);
}

Mask grown(MethodContext& context, const Mask& taken, const Scores& scores,
           const std::vector<std::int64_t>& counts, const Regrowth& regrowth,
           const RandomStream& stream) {
  const Network& network = context.network;
  if (regrowth.sampled) {
    return select_by_quota(network, taken, scores, counts, {1, kUniformShare}, stream);
  }
  return largest_scores(network, absent(network, taken), scores, counts, stream);
}

Mask grown(MethodContext& context, const Mask& taken, const Scores& scores, std::int64_t count,
           const Regrowth& regrowth, const RandomStream& stream) {
  const Network& network = context.network;
  if (regrowth.sampled) {
    return select_global(network, taken, scores, count, {1, kUniformShare}, stream);
  }
  return largest_scores(network, absent(network, taken), scores, count, stream);
}

}  // namespace

void add_interval_options(OptionList& list, UpdateOptions& options) {
  list.add("update-interval", options.interval, {0, 1e9, true, false},
           "training between two changes of the mask, in updates of batch 128");
  list.add("update-until", options.until, kFraction,
           "share of the training after which the mask stays");
}

void add_fraction_option(OptionList& list, UpdateOptions& options) {
  list.add("update-fraction", options.fraction, kFraction,
           "share of the present connections that move at the start, cosine-decayed to 0");
}

void add_collapse_option(OptionList& list, std::string& policy) {
  list.add_choice("collapse", policy, {"repair", "warn", "fail"},
                  "what to do about a layer that pruning would leave without connections, repair: "
                  "its best connection stays. If the last pruning of a phase leaves no path from "
                  "input to output: fail: an error, repair and warn: a warning");
}

Phase updated_phase(Role role, const UpdateOptions& options, const MethodContext& context) {
  const Recipe& recipe = context.recipe;
  Phase phase = recipe_phase(role, recipe);
  const double interval =
      options.interval * recipe.stretch * 128 / static_cast<double>(recipe.batch_size);
  const std::int64_t every = std::max<std::int64_t>(1, std::llround(interval));
  const std::int64_t updates = recipe.epochs * context.epoch_updates;
  // 0.29 of 100 comes out as 28.999999999999996.
  const auto last = static_cast<std::int64_t>(
      std::floor(options.until * static_cast<double>(updates) * (1 + kRoundingErrors)));
  for (std::int64_t update = every; update <= last; update += every) {
    phase.mask_updates.push_back(update);
  }
  if (phase.mask_updates.empty()) {
    throw Error(
        "--update-interval",
        fmt::format("the mask would change every {} updates, but only until update {} of {}", every,
                    last, updates),
        "choose a shorter interval or more epochs");
  }
  return phase;
}

double progress(const Phase& phase, std::int64_t done) {
  return static_cast<double>(done) / static_cast<double>(phase.mask_updates.back());
}

std::uint64_t update_batch(const Phase& phase, std::int64_t done) {
  return stream_index(static_cast<std::uint64_t>(phase.stage) + 1,
                      static_cast<std::uint64_t>(done));
}

void prune_magnitude(MethodContext& context, std::int64_t keep, DisconnectedPolicy policy,
                     std::uint64_t number) {
  const TrainingState& state = context.state;
  Pruned pruned =
      prune(context.network, state.mask, magnitude_scores(context.network, state.values.weights),
            keep, policy, RandomStream(context.seed, "prune", number));
  if (!pruned.warning.empty()) {
    warn_once(context.record, pruned.warning);
  }
  context.state.mask = std::move(pruned.mask);
  clear_absent(context.state);
}

void prune_magnitude(MethodContext& context, const std::vector<std::int64_t>& counts,
                     std::uint64_t number) {
  const TrainingState& state = context.state;
  context.state.mask = largest_scores(context.network, state.mask,
                                      magnitude_scores(context.network, state.values.weights),
                                      counts, RandomStream(context.seed, "prune", number));
  clear_absent(context.state);
}

std::int64_t pruning_target(const Network& network, std::string_view option, double density,
                            DisconnectedPolicy policy) {
  const std::int64_t present = present_for_density(network, density);
  if (policy != DisconnectedPolicy::warn && present < std::ssize(network.layers)) {
    throw Error(fmt::format("{} {}", option, density),
                fmt::format("{} connections cannot serve the {} layers of {}", present,
                            network.layers.size(), network.name),
                "ask for a higher density, or take --collapse warn, which leaves layers empty");
  }
  return present;
}

void check_paths(MethodContext& context, DisconnectedPolicy policy) {
  const Network& network = context.network;
  const Mask& mask = context.state.mask;
  if (reachability(network, mask).effective_density() > 0) {
    return;
  }
  const std::string problem = fmt::format(
      "no path of present connections leads from the input to the output ({} of {} connections, "
      "density {:.3g}): the network's output is the same for every image",
      mask.present(), network.connections(), mask.density());
  if (policy == DisconnectedPolicy::fail) {
    throw Error(network.name, problem, "ask for a higher density");
  }
  warn_once(context.record, fmt::format("{}: {}", network.name, problem));
}

std::int64_t drop_and_grow(MethodContext& context, const Regrowth& regrowth, double fraction,
                           std::uint64_t number) {
  const Network& network = context.network;
  TrainingState& state = context.state;
  // Scores of the network as it stands before the drop: nothing depends on the order of the two.
  const Scores scores = rule_score(regrowth.rule, context, PathNorm::folded, number).scores;
  const Scores weights = magnitude_scores(network, state.values.weights);
  const RandomStream drop(context.seed, "drop", number);
  const RandomStream grow(context.seed, "regrow", number);
  const Mask taken = state.mask;
  Mask removed;
  Mask added;
  if (regrowth.across_layers) {
    const std::int64_t present = taken.present();
    const Mask free = without(taken, best_of_each_layer(network, taken, weights, drop));
    const std::int64_t count = std::min({std::llround(fraction * static_cast<double>(present)),
                                         static_cast<long long>(taken.connections() - present),
                                         static_cast<long long>(free.present())});
    removed = smallest_scores(network, free, weights, count, drop);
    added = grown(context, taken, scores, count, regrowth, grow);
  } else {
    const std::vector<std::int64_t> counts = movable(taken, fraction);
    removed = smallest_scores(network, taken, weights, counts, drop);
    added = grown(context, taken, scores, counts, regrowth, grow);
  }
  remove_connections(network, state, removed);
  add_connections(network, state, added, NewWeight::zero, state.values, grow);
  return removed.present();
}

std::int64_t cubic_present(std::int64_t start, std::int64_t target, double u) {
  const double rest = std::pow(1 - std::clamp(u, 0.0, 1.0), 3);
  return target + std::llround(rest * static_cast<double>(start - target));
}

std::vector<PlannedPart> cubic_course(double start, double target, const Recipe& recipe,
                                      const UpdateOptions& options, double gradients) {
  constexpr int kParts = 16;
  const auto epochs = static_cast<double>(recipe.epochs);
  const double interval = std::max(
      1.0, options.interval * recipe.stretch * 128 / static_cast<double>(recipe.batch_size));
  std::vector<PlannedPart> course;
  for (int part = 0; part < kParts; ++part) {
    const double rest = std::pow(1 - (part + 0.5) / kParts, 3);
    course.push_back({0, target + rest * (start - target), options.until * epochs / kParts,
                      gradients / interval});
  }
  course.push_back({0, target, (1 - options.until) * epochs});
  return course;
}

}  // namespace gcg
