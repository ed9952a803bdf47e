#include "search/turn.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "search/paired.h"

namespace gcg {

namespace {

constexpr std::array kRules{
    TurnRule{.name = "loss, two behind"},
    TurnRule{.name = "loss, one behind", .behind = 1},
    TurnRule{.name = "loss, three behind", .behind = 3},
    TurnRule{.name = "accuracy, two behind", .by_accuracy = true},
    TurnRule{.name = "loss, one significantly behind", .behind = 1, .significant = true},
    TurnRule{.name = "loss, two behind, sparsest as good", .sparsest = true},
};

/// How much worse a stage is than another, with the noise of the images: loss, or share of hits.
PairedDifference worse_by(const WayStage& stage, const WayStage& than, const TurnRule& rule) {
  return rule.by_accuracy ? paired_accuracy(*than.hits, *stage.hits)
                          : paired_loss(stage.losses, than.losses);
}

bool as_good(const PairedDifference& worse) { return worse.mean <= kOneSided * worse.error; }

}  // namespace

std::span<const TurnRule> turn_rules() { return kRules; }

Turn turn_of(std::span<const WayStage> way, const TurnRule& rule) {
  if (way.empty()) {
    throw Error("way back", "no stage has ended");
  }
  std::size_t best = 0;
  std::size_t last = 0;
  std::optional<std::size_t> end;
  std::int64_t behind = 0;  // stages in a row
  for (std::size_t i = 1; i < way.size() && !end; ++i) {
    last = i;
    const PairedDifference worse = worse_by(way[i], way[best], rule);
    if (worse.mean <= 0) {
      best = i;
      behind = 0;
      continue;
    }
    behind = rule.significant && as_good(worse) ? 0 : behind + 1;
    if (behind == rule.behind) {
      end = i;
    }
  }
  std::size_t taken = best;
  for (std::size_t i = best + 1; rule.sparsest && i <= last; ++i) {
    if (as_good(worse_by(way[i], way[best], rule))) {
      taken = i;
    }
  }
  return {end, taken};
}

}  // namespace gcg
