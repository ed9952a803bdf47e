#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/options.h"
#include "growth/sampling.h"
#include "score/path_score.h"
#include "train/method.h"

namespace gcg {

/// How one growth stage chooses its connections.
struct GrowthRuleOptions {
  std::string rule = "path";
  std::string selection = "sampled";
  double beta = 1;
  double lambda = 0;
  std::string path_norm = "folded";
  std::string quotas = "global";
  std::string new_weights = "zero";
  bool repair = true;
};

/// One row of the table of growth rules: a score per connection of the network as it stands.
struct GrowthRule {
  std::string_view name;
  std::string_view about;
  Scores (*score)(MethodContext&, const GrowthRuleOptions&);
};

/// path, path_l2, gradient, random. To add one: write its function, add its row.
const std::vector<GrowthRule>& growth_rule_table();

void add_growth_rule_options(OptionList& list, GrowthRuleOptions& options);

/// What one growth stage did.
struct GrowthReport {
  std::int64_t grown = 0;     ///< connections added, the repaired ones included
  std::int64_t repaired = 0;  ///< of those, by the repair of dead units
  double overlap = 0;  ///< of the selected connections with a second draw: StageRow::growth_overlap
};

/// Adds exactly `count` connections to context.state for the stage that follows `stage`: repairs
/// dead units first, then scores, then selects. Streams are keyed by the stage. Errors name layer
/// and number.
GrowthReport grow(MethodContext& context, const GrowthRuleOptions& options, std::int64_t count,
                  std::int64_t stage);

}  // namespace gcg
