#include "method/search_record.h"

#include <algorithm>
#include <span>

#include "search/paired.h"

namespace gcg {

namespace {

/// Rows and predictions of the last way back; both have one entry a stage.
struct WayBack {
  std::size_t first = 0;  ///< index of the peak among the stages
  std::size_t best = 0;   ///< within the way
  std::span<const StagePredictions> predictions;
};

WayBack last_way_back(const RunRecord& record) {
  const std::vector<SearchStage> stages = search_stages(record);
  const std::span<const SearchStage> way = way_back(stages);
  const std::size_t first = stages.size() - way.size();
  return {first, least_loss(way), std::span(record.predictions.stages).subspan(first, way.size())};
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

void compare_way_back(RunRecord& record) {
  const WayBack way = last_way_back(record);
  if (way.predictions.size() < 2) {
    return;
  }
  const StagePredictions& best = way.predictions[way.best];
  for (std::size_t i = 0; i < way.predictions.size(); ++i) {
    const StagePredictions& stage = way.predictions[i];
    const PairedDifference loss = paired_loss(stage.losses, best.losses);
    const PairedDifference accuracy = paired_accuracy(stage.hits, best.hits);
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
  const WayBack way = last_way_back(record);
  if (way.predictions.size() < 2) {
    return result;
  }
  result.low = result.high = result.density;
  std::vector<std::span<const float>> losses;
  for (const StagePredictions& stage : way.predictions) {
    losses.emplace_back(stage.losses);
  }
  for (const std::size_t i : as_good_as(losses, way.best)) {
    result.low = std::min(result.low, record.stages[way.first + i].density);
    result.high = std::max(result.high, record.stages[way.first + i].density);
  }
  return result;
}

}  // namespace gcg
