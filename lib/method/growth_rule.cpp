#include "method/growth_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/lookup.h"
#include "growth/grow.h"
#include "topology/allocation.h"
#include "train/cost.h"

namespace gcg {

namespace {

Scores path_rule(MethodContext& context, const GrowthRuleOptions& options, int power) {
  context.record.cost.scoring_flops += path_score_flops(context.network, context.state.mask);
  const PathNorm norm = options.path_norm == "folded" ? PathNorm::folded : PathNorm::identity;
  return path_scores(context.network, context.state.values, context.state.mask, {norm, power});
}

Scores score_path(MethodContext& context, const GrowthRuleOptions& options) {
  return path_rule(context, options, 1);
}

Scores score_path_l2(MethodContext& context, const GrowthRuleOptions& options) {
  return path_rule(context, options, 2);
}

Scores score_gradient(MethodContext& context, const GrowthRuleOptions& /*options*/) {
  const auto stage = static_cast<std::uint64_t>(context.record.stages.back().stage);
  return magnitude_scores(context.network, context.dense_gradients(stage));
}

Scores score_random(MethodContext& context, const GrowthRuleOptions& /*options*/) {
  return uniform_scores(context.network);
}

const GrowthRule& find_growth_rule(std::string_view name) {
  return find_row(growth_rule_table(), name, "--growth-rule");
}

SamplingLaw sampling_law(const GrowthRuleOptions& options) {
  if (options.selection == "greedy") {
    return {std::numeric_limits<double>::infinity(), 0};
  }
  return {options.beta, options.lambda};
}

/// New connections per layer under another distribution than the rule's own global one.
std::vector<std::int64_t> layer_quotas(MethodContext& context, const GrowthRuleOptions& options,
                                       std::int64_t count, std::int64_t stage) {
  const Network& network = context.network;
  const Mask& mask = context.state.mask;
  const std::int64_t total = mask.present() + count;
  if (options.quotas == "uniform") {
    return quotas_towards(network, mask, uniform_allocation(network, total), count);
  }
  if (options.quotas == "erk") {
    return quotas_towards(network, mask, erk_allocation(network, total), count);
  }
  if (options.quotas == "current") {
    const std::vector<std::int64_t> counts = mask.counts();
    std::vector<double> wanted;
    for (const std::int64_t present : counts) {
      wanted.push_back(static_cast<double>(present) * static_cast<double>(total) /
                       static_cast<double>(mask.present()));
    }
    return quotas_towards(network, mask, largest_remainder(wanted, total, layer_sizes(network)),
                          count);
  }
  const Scores scores = find_growth_rule(options.quotas).score(context, options);
  const RandomStream stream(context.seed, fmt::format("growth-quotas-{}", stage));
  return select_global(network, mask, scores, count, sampling_law(options), stream).counts();
}

NewWeight new_weight(const std::string& name) {
  if (name == "initial") {
    return NewWeight::initial;
  }
  return name == "small_random" ? NewWeight::small_random : NewWeight::zero;
}

}  // namespace

const std::vector<GrowthRule>& growth_rule_table() {
  static const std::vector<GrowthRule> table{
      {"path", "sum over paths of the product of the |w| of the other connections (PathGrow)",
       score_path},
      {"path_l2", "the same with w^2: the exact gain of the path kernel's trace", score_path_l2},
      {"gradient", "magnitude of the loss gradient on one training batch", score_gradient},
      {"random", "every absent connection alike", score_random},
  };
  return table;
}

void add_growth_rule_options(OptionList& list, GrowthRuleOptions& options) {
  const std::vector<std::string> rules = row_names(growth_rule_table());
  std::vector<std::string> quotas{"global", "uniform", "erk", "current"};
  quotas.insert(quotas.end(), rules.begin(), rules.end());
  const auto sampled = [&options] {
    // Equal scores make every law the uniform one.
    const bool scored_quotas = options.quotas.starts_with("path") || options.quotas == "gradient";
    return options.selection == "sampled" && (options.rule != "random" || scored_quotas);
  };
  const auto uses_paths = [&options] {
    return options.rule.starts_with("path") || options.quotas.starts_with("path");
  };
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
}

GrowthReport grow(MethodContext& context, const GrowthRuleOptions& options, std::int64_t count,
                  std::int64_t stage) {
  const Network& network = context.network;
  const Parameters initial = initial_parameters(network, context.seed);
  const auto index = static_cast<std::uint64_t>(stage);
  GrowthReport report;
  report.grown = count;
  if (options.repair) {
    const Repair repair = repair_dead_units(
        network, context.state.mask, RandomStream(context.seed, "growth-repair", index), count);
    const RandomStream unused(context.seed, "growth-repair-weights", index);
    add_connections(network, context.state, repair.incoming, NewWeight::initial, initial, unused);
    add_connections(network, context.state, repair.outgoing, NewWeight::zero, initial, unused);
    report.repaired = repair.connections;
    count -= repair.connections;
  }
  const Scores scores = find_growth_rule(options.rule).score(context, options);
  const RandomStream stream(context.seed, fmt::format("growth-{}", stage));
  const Mask added =
      options.quotas == "global"
          ? select_global(network, context.state.mask, scores, count, sampling_law(options), stream)
          : select_by_quota(network, context.state.mask, scores,
                            layer_quotas(context, options, count, stage), sampling_law(options),
                            stream);
  const Mask second =
      select_by_quota(network, context.state.mask, scores, added.counts(), sampling_law(options),
                      RandomStream(context.seed, fmt::format("growth-second-draw-{}", stage)));
  report.overlap = jaccard(added, second);
  add_connections(network, context.state, added, new_weight(options.new_weights), initial,
                  RandomStream(context.seed, "growth-weights", index));
  return report;
}

}  // namespace gcg
