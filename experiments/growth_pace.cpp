#include "growth_default.h"

namespace gcg::experiments {

namespace {

constexpr double kStopDensity = 0.2;

struct Pace {
  double ratio;
  std::int64_t stage_epochs;
};

/// The grid of a scale, and extensive training where there are few stages.
std::vector<Pace> paces(const Scale& scale) {
  const std::vector<double> ratios = scale.numbers("growth-ratios", kPositive);
  const std::vector<std::int64_t> grid = scale.wholes("paces", 1, kMostEpochs);
  const std::vector<std::int64_t> extensive = scale.wholes("extensive-paces", 1, kMostEpochs, true);
  std::vector<Pace> result;
  for (const double ratio : ratios) {
    for (const std::int64_t stage_epochs : grid) {
      result.push_back({ratio, stage_epochs});
    }
  }
  constexpr double kFewStages = 0.5;
  for (const double ratio : ratios) {
    for (const std::int64_t stage_epochs : extensive) {
      if (ratio >= kFewStages) {
        result.push_back({ratio, stage_epochs});
      }
    }
  }
  return result;
}

/// Growth ratio by epochs per stage, from one seed density to one density, then the recipe.
std::vector<ExperimentRun> runs(const ExperimentRequest& request) {
  const GrowthScale scale = growth_scale(request.scale);
  std::vector<Row> rows;
  for (const Pace& pace : paces(request.scale)) {
    rows.push_back(
        {fmt::format("r {:.2f}, E {}", pace.ratio, pace.stage_epochs),
         growth_to(scale, kStopDensity,
                   {{"growth-ratio", text(pace.ratio)}, {"stage-epochs", text(pace.stage_epochs)}}),
         {"growth",
          "growth",
          {{"growth-ratio", pace.ratio},
           {"stage-epochs", static_cast<double>(pace.stage_epochs)}}}});
  }
  rows.push_back(dense_row(scale.epochs));
  return repeat(rows, scale.common, request);
}

}  // namespace

ExperimentRuns growth_pace() { return {runs}; }

}  // namespace gcg::experiments
