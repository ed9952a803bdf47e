#include "growth_default.h"

namespace {

using namespace gcg;

constexpr double kStopDensity = 0.2;

struct Pace {
  double ratio;
  int stage_epochs;
};

/// The grid of a scale, and extensive training where there are few stages.
std::vector<Pace> paces(const std::string& scale) {
  if (scale == "smoke") {
    return {{0.6, 1}, {0.6, 2}, {1.5, 1}, {1.5, 2}};
  }
  const std::vector<int> epochs =
      scale == "small" ? std::vector<int>{1, 2, 4} : std::vector<int>{4, 8, 16, 32};
  std::vector<Pace> result;
  // A little more than doubling: rounded counts shall not leave a stage of one connection.
  constexpr double kDoubling = 1.001;
  for (const double ratio : {0.25, 0.5, kDoubling}) {
    for (const int stage_epochs : epochs) {
      result.push_back({ratio, stage_epochs});
    }
  }
  if (scale == "small") {
    result.push_back({0.5, 8});
    result.push_back({kDoubling, 8});
  }
  return result;
}

/// Growth ratio by epochs per stage, from one seed density to one density, then the recipe.
std::vector<ExperimentRun> growth_pace(const ExperimentRequest& request) {
  const GrowthScale scale = growth_scale(request.scale);
  std::vector<Row> rows;
  for (const Pace& pace : paces(request.scale)) {
    rows.push_back({fmt::format("r {:.2f}, E {}", pace.ratio, pace.stage_epochs),
                    growth_to(scale, kStopDensity,
                              {{"growth-ratio", text(pace.ratio)},
                               {"stage-epochs", text(pace.stage_epochs)}})});
  }
  rows.push_back({"dense", {{"method", "dense"}, {"epochs", text(scale.epochs)}}});
  return repeat(rows, common_options(scale), request, scale.seeds);
}

}  // namespace

int main(int argc, char** argv) {
  return gcg::experiment_main(argc, argv,
                              {"growth_pace",
                               "growth ratio by epochs per stage at equal last density: limited "
                               "against extensive training",
                               growth_pace});
}
