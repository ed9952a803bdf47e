#include "method/prune_score.h"

#include <fmt/format.h>

#include <utility>

#include "growth/rank.h"
#include "score/score_table.h"

namespace gcg {

std::vector<std::string> pruning_score_names() {
  std::vector<std::string> names;
  for (const ScoreRule& rule : score_table()) {
    if (rule.prunes) {
      names.emplace_back(rule.name);
    }
  }
  return names;
}

std::string prune_by_score(MethodContext& context, std::string_view rule, std::int64_t keep,
                           DisconnectedPolicy policy, std::uint64_t number) {
  const Scored scored = score(rule, {.network = context.network,
                                     .state = context.state,
                                     .gradients = context.gradients,
                                     .curvature = context.curvature,
                                     .first_batch = number});
  context.record.cost.scoring_flops += scored.sweep_flops;
  Pruned pruned = prune(context.network, context.state.mask, scored.scores, keep, policy,
                        RandomStream(context.seed, "prune", number));
  if (!pruned.warning.empty()) {
    context.record.warnings.push_back(pruned.warning);
  }
  context.state.mask = std::move(pruned.mask);
  clear_absent(context.state);
  return fmt::format("{}: {}", rule, scored.context);
}

}  // namespace gcg
