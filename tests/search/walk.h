#pragma once

#include <functional>
#include <vector>

#include "search/search.h"

namespace gcg::testing {

/// A whole search on invented losses: nothing is trained.
struct Walk {
  std::vector<SearchStage> stages;
  SearchStep last;  ///< finish
  double cost = 0;  ///< the final training included, in epochs of dense training
};

using Rule = SearchStep (*)(std::span<const SearchStage>, const SearchOptions&);

/// `loss` of the stage with this number and this many connections.
inline Walk walk(Rule rule, const SearchOptions& options, std::int64_t first,
                 const std::function<double(std::size_t, std::int64_t)>& loss) {
  Walk result;
  SearchStep step{SearchAction::grow, first};
  const auto density = [&](std::int64_t present) {
    return static_cast<double>(present) / static_cast<double>(options.connections);
  };
  while (step.action != SearchAction::finish && result.stages.size() < 10000) {
    result.cost += density(step.present) * static_cast<double>(options.stage_epochs);
    result.stages.push_back({step.action == SearchAction::prune, step.present,
                             loss(result.stages.size(), step.present), result.cost});
    step = rule(result.stages, options);
  }
  result.last = step;
  result.cost += density(step.present) * static_cast<double>(options.final_epochs);
  return result;
}

}  // namespace gcg::testing
