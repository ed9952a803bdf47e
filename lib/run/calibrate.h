#pragma once

#include <cstdint>
#include <string>

#include "study/run_plan.h"

namespace gcg {

/// What a method costs at equal epochs, relative to dense training.
struct Calibration {
  double flops = 0;        ///< training steps, scores and dense gradients: counted, not measured
  double seconds = 0;      ///< training, scores and mask changes: measured
  std::string method_run;  ///< folder
  std::string dense_run;   ///< folder
};

/// Runs the method of these options and dense training for `epochs` epochs each, in the runs'
/// folders; finished runs are not repeated. Schedule and update intervals of the method shrink as a
/// budget stretches them, so that the shares of training stand for the whole. --budget and
/// --cost-ratio of the options are what is sought and are ignored. With all epochs of the recipe
/// the runs are those of a study of equal epochs. Errors: epochs outside of [1, those of the
/// recipe], whatever the runs throw.
Calibration calibrate(GivenOptions given, std::int64_t epochs);

/// For people: both ratios, the options that set them, and the epochs they come to.
std::string calibration_text(const Calibration& calibration, const Recipe& recipe);

}  // namespace gcg
