#include "method/growth_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.h"
#include "growth/grow.h"
#include "method/warn_once.h"
#include "topology/allocation.h"

namespace gcg {

namespace {

/// Weight of the old average after every update: that of the recipe's usual momentum.
constexpr double kGradientAverage = 0.9;

SamplingLaw sampling_law(const GrowthRuleOptions& options) {
  if (options.selection == "greedy") {
    return {std::numeric_limits<double>::infinity(), 0};
  }
  return {options.beta, options.lambda};
}

PathNorm path_norm(const GrowthRuleOptions& options) {
  return options.path_norm == "folded" ? PathNorm::folded : PathNorm::identity;
}

Scored stage_scores(std::string_view rule, MethodContext& context,
                    const GrowthRuleOptions& options) {
  const auto stage = static_cast<std::uint64_t>(context.record.stages.back().stage);
  Scored scored = rule_score(rule, context, path_norm(options), stage);
  if (options.inverted) {
    scored.scores = inverted(std::move(scored.scores));
    scored.context += ", inverted";
  }
  return scored;
}

/// The scores behind a stage: the rule's and, where it gives the quotas, another one.
std::vector<const ScoreRule*> used_scores(const GrowthRuleOptions& options) {
  std::vector<const ScoreRule*> used;
  for (const ScoreRule& rule : score_table()) {
    if (rule.name == options.rule || rule.name == options.quotas) {
      used.push_back(&rule);
    }
  }
  return used;
}

bool any_score(const GrowthRuleOptions& options, bool ScoreRule::*flag) {
  return std::ranges::any_of(used_scores(options),
                             [flag](const ScoreRule* rule) { return rule->*flag; });
}

/// Layer counts of all present connections after the growth that the quotas aim at; empty where a
/// score sets the quotas.
Allocation quota_allocation(MethodContext& context, const GrowthRuleOptions& options,
                            std::int64_t total) {
  const Network& network = context.network;
  const Mask& mask = context.state.mask;
  if (options.quotas == "uniform" || options.quotas == "erk") {
    return allocate(options.quotas, network, total);
  }
  if (options.quotas == "current") {
    std::vector<double> wanted;
    for (const std::int64_t present : mask.counts()) {
      wanted.push_back(static_cast<double>(present) * static_cast<double>(total) /
                       static_cast<double>(mask.present()));
    }
    const std::vector<std::int64_t> sizes = layer_sizes(network);
    return {capped_shares(wanted, total, sizes), largest_remainder(wanted, total, sizes)};
  }
  if (options.quotas == "table") {
    options.allocation_file.check_unchanged();
    const std::string& file = options.allocation_file.path;
    const std::string scaled = scaling_of_table(file, network, total);
    if (!scaled.empty()) {
      warn_once(context.record, scaled);
    }
    return read_allocation(file, network, total);
  }
  return {};
}

/// New connections per layer under another distribution than the rule's own global one.
std::vector<std::int64_t> layer_quotas(MethodContext& context, const GrowthRuleOptions& options,
                                       const Allocation& allocation, std::int64_t count,
                                       std::int64_t stage) {
  const Network& network = context.network;
  const Mask& mask = context.state.mask;
  if (!allocation.counts.empty()) {
    return quotas_towards(network, mask, allocation.counts, count);
  }
  const Scores scores = stage_scores(options.quotas, context, options).scores;
  const RandomStream stream(context.seed, fmt::format("growth-quotas-{}", stage));
  return select_global(network, mask, scores, count, sampling_law(options), stream).counts();
}

/// Gives dead units connections, at most `count`, and returns how many.
std::int64_t repair_units(const Network& network, TrainingState& state, const Parameters& initial,
                          std::uint64_t seed, std::uint64_t stage, std::int64_t count) {
  const Repair repair =
      repair_dead_units(network, state.mask, RandomStream(seed, "growth-repair", stage), count);
  const RandomStream unused(seed, "growth-repair-weights", stage);
  add_connections(network, state, repair.incoming, NewWeight::initial, initial, unused);
  add_connections(network, state, repair.outgoing, NewWeight::zero, initial, unused);
  return repair.connections;
}

NewWeight new_weight(const std::string& name) {
  if (name == "initial") {
    return NewWeight::initial;
  }
  return name == "small_random" ? NewWeight::small_random : NewWeight::zero;
}

}  // namespace

std::vector<std::string> growth_rule_names() {
  std::vector<std::string> names;
  for (const ScoreRule& rule : score_table()) {
    if (rule.grows) {
      names.emplace_back(rule.name);
    }
  }
  return names;
}

double gradient_average(const GrowthRuleOptions& options) {
  return any_score(options, &ScoreRule::averaged) ? kGradientAverage : 0;
}

Scored rule_score(std::string_view rule, MethodContext& context, PathNorm norm,
                  std::uint64_t batch) {
  Scored scored = score(rule, {.network = context.network,
                               .state = context.state,
                               .path_norm = norm,
                               .gradients = context.gradients,
                               .first_batch = batch,
                               .gradient_average = &context.memory.gradient_average});
  context.record.cost.scoring_flops += scored.sweep_flops;
  return scored;
}

void add_growth_rule_options(OptionList& list, GrowthRuleOptions& options) {
  const std::vector<std::string> rules = growth_rule_names();
  std::vector<std::string> quotas{"global", "uniform", "erk", "current", "table"};
  quotas.insert(quotas.end(), rules.begin(), rules.end());
  const auto sampled = [&options] {
    // Equal scores make every law the uniform one.
    const std::vector<const ScoreRule*> used = used_scores(options);
    return options.selection == "sampled" && !std::ranges::all_of(used, &ScoreRule::equal);
  };
  const auto uses_paths = [&options] { return any_score(options, &ScoreRule::paths); };
  list.add_choice("growth-rule", options.rule, rules, "score of absent connections");
  list.add_choice("selection", options.selection, {"sampled", "greedy"},
                  "draw in proportion to the score, or take the largest");
  list.add("beta", options.beta, {0, 100}, "power of the score in the sampling law; 0: uniform")
      .used_if(sampled,
               "greedy selection has no sampling law, and equal scores make every law the same");
  list.add("lambda", options.lambda, kProbability, "share of the uniform law in the sampling law")
      .used_if(sampled,
               "greedy selection has no sampling law, and equal scores make every law the same");
  list.add_choice("path-norm", options.path_norm, {"folded", "identity"},
                  "what a normalisation contributes to a path")
      .used_if(uses_paths, "neither the rule nor the quotas use paths");
  list.add_choice(
      "quotas", options.quotas, quotas,
      "distribution of new connections over layers, global: the rule's own; a rule's name: "
      "the layer counts that rule would choose");
  list.add_choice("new-weights", options.new_weights, {"zero", "initial", "small_random"},
                  "start of a grown connection");
  list.add("repair", options.repair,
           "give hidden units that lack both sides an incoming and an outgoing connection");
  list.add("invert-scores", options.inverted, "control: rank connections by 1 / score")
      .used_if([&options] { return !find_score(options.rule).equal; },
               "equal scores have no order to invert");
  list.add("allocation-file", options.allocation_file.path,
           "densities per layer, lines 'LAYER DENSITY', for quotas table")
      .identified_by([&options] { return options.allocation_file.digest(); })
      .used_if([&options] { return options.quotas == "table"; }, "the quotas are not a table");
}

void check_growth_rule_options(const GrowthRuleOptions& options) {
  if (options.quotas == "table" && options.allocation_file.path.empty()) {
    throw UsageError("--quotas table", "takes the layers' densities from a file, and none is named",
                     "give --allocation-file FILE with a line 'LAYER DENSITY' for every layer");
  }
}

void check_quotas(const Network& network, const GrowthRuleOptions& options, std::int64_t largest) {
  if (options.quotas == "table") {
    (void)read_allocation(options.allocation_file.path, network, largest);
  }
}

void check_first_growth(const MethodContext& context, const GrowthRuleOptions& options,
                        std::int64_t count) {
  if (count < 1 || !any_score(options, &ScoreRule::paths) ||
      any_score(options, &ScoreRule::images)) {
    return;
  }
  RunRecord record;
  record.stages.emplace_back();
  TrainingState state = context.state;
  MethodMemory memory;
  MethodContext rehearsal{.network = context.network,
                          .recipe = context.recipe,
                          .seed = context.seed,
                          .epoch_updates = context.epoch_updates,
                          .record = record,
                          .state = state,
                          .memory = memory,
                          .gradients = context.gradients,
                          .curvature = context.curvature};
  (void)grow(rehearsal, options, count, 1);
}

MaskReport grow(MethodContext& context, const GrowthRuleOptions& options, std::int64_t count,
                std::int64_t stage) {
  const Network& network = context.network;
  const Parameters initial = initial_parameters(network, context.seed);
  const auto index = static_cast<std::uint64_t>(stage);
  MaskReport report;
  report.grown = count;
  if (options.repair) {
    report.repaired = repair_units(network, context.state, initial, context.seed, index, count);
    count -= report.repaired;
  }
  Scored scored = stage_scores(options.rule, context, options);
  const Scores& scores = scored.scores;
  report.scores = fmt::format("{}: {}", options.rule, scored.context);
  report.allocation = quota_allocation(context, options, context.state.mask.present() + count);
  const RandomStream stream(context.seed, fmt::format("growth-{}", stage));
  const Mask added =
      options.quotas == "global"
          ? select_global(network, context.state.mask, scores, count, sampling_law(options), stream)
          : select_by_quota(network, context.state.mask, scores,
                            layer_quotas(context, options, report.allocation, count, stage),
                            sampling_law(options), stream);
  const Mask second =
      select_by_quota(network, context.state.mask, scores, added.counts(), sampling_law(options),
                      RandomStream(context.seed, fmt::format("growth-second-draw-{}", stage)));
  report.growth_overlap = jaccard(added, second);
  add_connections(network, context.state, added, new_weight(options.new_weights), initial,
                  RandomStream(context.seed, "growth-weights", index));
  return report;
}

}  // namespace gcg
