#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "record/run_record.h"

namespace gcg::testing {

/// Equal bits, NaN included.
template <typename T>
bool same_bits(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

inline bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

/// What differs between the results of two runs, columns of time, host and memory excepted; empty
/// if nothing does.
inline std::string difference(const RunRecord& a, const RunRecord& b) {
  if (a.trajectory.size() != b.trajectory.size() || a.stages.size() != b.stages.size() ||
      a.masks.size() != b.masks.size()) {
    return "number of rows";
  }
  for (std::size_t i = 0; i < a.trajectory.size(); ++i) {
    TrajectoryRow left = a.trajectory[i];
    TrajectoryRow right = b.trajectory[i];
    if (left.step != right.step || left.epoch != right.epoch || left.stage != right.stage ||
        left.phase != right.phase || !same_bits(left.density, right.density) ||
        !same_bits(left.learning_rate, right.learning_rate) ||
        !same_bits(left.train_loss, right.train_loss) ||
        !same_bits(left.train_accuracy, right.train_accuracy) ||
        !same_bits(left.validation_loss, right.validation_loss) ||
        !same_bits(left.validation_accuracy, right.validation_accuracy) ||
        !same_bits(left.training_flops, right.training_flops)) {
      return "trajectory row " + std::to_string(i);
    }
  }
  for (std::size_t i = 0; i < a.stages.size(); ++i) {
    const StageRow& left = a.stages[i];
    const StageRow& right = b.stages[i];
    if (left.present != right.present || left.decision != right.decision ||
        left.grown != right.grown || left.repaired != right.repaired ||
        left.fit.outcome != right.fit.outcome || !same_bits(left.fit.d_star, right.fit.d_star) ||
        !same_bits(left.fit.d_low, right.fit.d_low) ||
        !same_bits(left.fit.d_high, right.fit.d_high) ||
        !same_bits(left.fit.parameters, right.fit.parameters) ||
        !same_bits(left.density_epochs, right.density_epochs) ||
        !same_bits(left.above_best, right.above_best) ||
        !same_bits(left.training_flops, right.training_flops)) {
      return "stage row " + std::to_string(i);
    }
    if (!(a.masks[i].mask == b.masks[i].mask)) {
      return "mask of stage " + std::to_string(i);
    }
    const MaskStatistics& s = a.masks[i].statistics;
    const MaskStatistics& t = b.masks[i].statistics;
    if (!same_bits(s.log_path_norm, t.log_path_norm) || s.tau_core_units != t.tau_core_units ||
        !same_bits(s.effective_density, t.effective_density)) {
      return "statistics of stage " + std::to_string(i);
    }
  }
  if (a.predictions.images != b.predictions.images ||
      a.predictions.stages.size() != b.predictions.stages.size()) {
    return "number of predictions";
  }
  for (std::size_t i = 0; i < a.predictions.stages.size(); ++i) {
    const StagePredictions& left = a.predictions.stages[i];
    const StagePredictions& right = b.predictions.stages[i];
    if (left.stage != right.stage || left.losses != right.losses || left.hits != right.hits) {
      return "predictions of stage " + std::to_string(i);
    }
  }
  if (a.search.outcome != b.search.outcome || a.search.stage != b.search.stage ||
      !same_bits(a.search.density, b.search.density) || !same_bits(a.search.low, b.search.low) ||
      !same_bits(a.search.high, b.search.high)) {
    return "what the search found";
  }
  if (a.result.has_value() != b.result.has_value()) {
    return "existence of a result";
  }
  if (a.result && !(a.result->state == b.result->state)) {
    return "final weights, slots or mask";
  }
  if (a.result && (a.result->test_predictions != b.result->test_predictions ||
                   !same_bits(a.result->test_loss, b.result->test_loss))) {
    return "test predictions";
  }
  if (a.cost.steps != b.cost.steps || !same_bits(a.cost.training_flops, b.cost.training_flops) ||
      !same_bits(a.cost.scoring_flops, b.cost.scoring_flops) ||
      !same_bits(a.cost.dense_gradient_flops, b.cost.dense_gradient_flops) ||
      !same_bits(a.cost.density_epochs, b.cost.density_epochs)) {
    return "cost";
  }
  return {};
}

}  // namespace gcg::testing
