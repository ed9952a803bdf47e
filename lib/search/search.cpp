#include "search/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace gcg {

namespace {

double density(std::int64_t present, const SearchOptions& options) {
  return static_cast<double>(present) / static_cast<double>(options.connections);
}

double stage_cost(std::int64_t present, const SearchOptions& options) {
  return density(present, options) * static_cast<double>(options.stage_epochs);
}

double final_cost(std::int64_t present, const SearchOptions& options) {
  return density(present, options) * static_cast<double>(options.final_epochs);
}

/// A growth stage with so many connections and the final training of the network it leaves.
bool affordable(double spent, std::int64_t present, const SearchOptions& options) {
  return spent + stage_cost(present, options) + final_cost(present, options) <= options.budget;
}

std::int64_t grown(std::int64_t present, std::int64_t limit, const SearchOptions& options) {
  const auto more = std::llround(options.growth_ratio * static_cast<double>(present));
  return std::min(limit, present + std::max<std::int64_t>(1, more));
}

std::int64_t returned(std::int64_t present, const SearchOptions& options) {
  const auto kept = std::llround((1 - options.return_share) * static_cast<double>(present));
  return std::min<std::int64_t>(kept, present - 1);
}

void check(std::span<const SearchStage> stages) {
  if (stages.empty()) {
    throw Error("search", "no stage has ended");
  }
  for (std::size_t i = 0; i < stages.size(); ++i) {
    if (!std::isfinite(stages[i].loss)) {
      throw Error("search",
                  fmt::format("the validation loss of stage {} is {}", i, stages[i].loss));
    }
  }
}

/// The way back has ended with the peak as its best: higher, if there is higher.
SearchStep beyond_the_peak(std::span<const SearchStage> stages, std::size_t peak,
                           const SearchOptions& options) {
  const std::int64_t present = stages[peak].present;
  if (present == options.connections) {
    return {SearchAction::finish, present, peak, SearchOutcome::needs_dense};
  }
  const std::int64_t next = grown(present, options.connections, options);
  if (affordable(stages.back().spent, next, options)) {
    return {SearchAction::grow, next, peak};
  }
  return {SearchAction::finish, present, peak, SearchOutcome::budget};
}

}  // namespace

std::span<const SearchStage> way_back(std::span<const SearchStage> stages) {
  std::size_t peak = stages.size() - 1;
  while (peak > 0 && stages[peak].returning) {
    --peak;
  }
  return stages.subspan(peak);
}

std::size_t least_loss(std::span<const SearchStage> stages) {
  check(stages);
  std::size_t best = 0;
  for (std::size_t i = 1; i < stages.size(); ++i) {
    if (stages[i].loss <= stages[best].loss) {
      best = i;
    }
  }
  return best;
}

SearchStep return_step(std::span<const SearchStage> stages, const SearchOptions& options) {
  check(stages);
  const SearchStage& last = stages.back();
  const std::size_t end = stages.size() - 1;
  const bool first_way =
      std::ranges::none_of(stages, [](const SearchStage& stage) { return stage.returning; });
  if (first_way && last.present < options.peak) {
    const std::int64_t next = grown(last.present, options.peak, options);
    if (affordable(last.spent, next, options)) {
      return {SearchAction::grow, next, end};
    }
  }

  const std::span<const SearchStage> way = way_back(stages);
  const std::size_t peak = stages.size() - way.size();
  const std::size_t best = least_loss(way);
  const bool turned = way.size() - best > 2;  // two stages lie behind it, none of them as good
  const std::int64_t next = returned(last.present, options);
  const bool at_the_end = next < std::max<std::int64_t>(1, options.smallest);
  const bool paid =
      last.spent + stage_cost(next, options) + final_cost(way[best].present, options) <=
      options.budget;
  if (!turned && !at_the_end && paid) {
    return {SearchAction::prune, next, end};
  }
  // Where the first step would fall below the smallest, nothing says that less is worse.
  if (best == 0 && (turned || (at_the_end && way.size() > 1))) {
    return beyond_the_peak(stages, peak, options);
  }
  const SearchOutcome outcome = turned       ? SearchOutcome::found
                                : at_the_end ? SearchOutcome::smallest
                                             : SearchOutcome::budget;
  return {SearchAction::finish, way[best].present, peak + best, outcome};
}

SearchStep landing_step(std::span<const SearchStage> stages, const SearchOptions& options) {
  check(stages);
  if (options.final_epochs < 1) {
    throw Error("search", "a budget lands where it pays the final training, and there is none");
  }
  const SearchStage& last = stages.back();
  if (last.returning) {
    throw Error("search", "growth under a budget has no way back");
  }
  const std::size_t end = stages.size() - 1;
  const std::int64_t next = grown(last.present, options.connections, options);
  if (next > last.present && affordable(last.spent, next, options)) {
    return {SearchAction::grow, next, end};
  }
  const double rest = (options.budget - last.spent) / static_cast<double>(options.final_epochs);
  const double most = std::floor(rest * static_cast<double>(options.connections));
  const auto landing = static_cast<std::int64_t>(std::clamp(
      most, static_cast<double>(last.present), static_cast<double>(options.connections)));
  return {SearchAction::finish, landing, end, SearchOutcome::budget};
}

}  // namespace gcg
