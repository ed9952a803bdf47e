#include "method/search_record.h"

#include <algorithm>
#include <span>

#include "search/paired.h"

namespace gcg {

namespace {

/// The index within the way of its stage of least loss.
std::size_t best_of_last_way(const RunRecord& record) {
  const std::vector<SearchStage> stages = search_stages(record);
  return least_loss(way_back(stages));
}

}  // namespace

std::vector<SearchStage> search_stages(const RunRecord& record) {
  std::vector<SearchStage> stages;
  for (const StageRow& row : record.stages) {
    if (row.phase == Role::stage || row.phase == Role::returning) {
      stages.push_back(
          {row.phase == Role::returning, row.present, row.validation_loss, row.density_epochs});
    }
  }
  return stages;
}

RecordedWay recorded_way(const RunRecord& record) {
  const std::vector<SearchStage> stages = search_stages(record);
  const std::size_t length = way_back(stages).size();
  RecordedWay way{stages.size() - length, {}};
  for (std::size_t i = way.first; i < stages.size(); ++i) {
    const StagePredictions& stage = record.predictions.stages[i];
    way.stages.push_back({stage.losses, &stage.hits});
  }
  return way;
}

void compare_way_back(RunRecord& record) {
  const RecordedWay way = recorded_way(record);
  if (way.stages.size() < 2) {
    return;
  }
  const WayStage& best = way.stages[best_of_last_way(record)];
  for (std::size_t i = 0; i < way.stages.size(); ++i) {
    const PairedDifference loss = paired_loss(way.stages[i].losses, best.losses);
    const PairedDifference accuracy = paired_accuracy(*way.stages[i].hits, *best.hits);
    record.stages[way.first + i].above_best = {loss.mean, loss.error, accuracy.mean,
                                               accuracy.error};
  }
}

SearchResult search_result(const RunRecord& record, const SearchStep& step) {
  SearchResult result;
  result.outcome = step.outcome;
  result.stage = record.stages[step.from].stage;
  result.density =
      static_cast<double>(step.present) / static_cast<double>(record.network.connections());
  const RecordedWay way = recorded_way(record);
  if (way.stages.size() < 2) {
    return result;
  }
  result.low = result.high = result.density;
  std::vector<std::span<const float>> losses;
  for (const WayStage& stage : way.stages) {
    losses.push_back(stage.losses);
  }
  for (const std::size_t i : as_good_as(losses, best_of_last_way(record))) {
    result.low = std::min(result.low, record.stages[way.first + i].density);
    result.high = std::max(result.high, record.stages[way.first + i].density);
  }
  return result;
}

}  // namespace gcg
