#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "extrapolate/curve.h"

namespace gcg {

/// What a stopping rule would have done along a recorded trajectory.
struct Replay {
  std::vector<Extrapolation> fits;  ///< after every stage
  /// Stage after which the rule stops; -1: it goes on after the last recorded one.
  std::int64_t stop = -1;
  StopReason reason = StopReason::none;
};

/// Applies the rule to the stages one after the other, as growth does: at no stage it knows of a
/// later one. `fits` holds all stages, also those after the stop. Errors: those of extrapolate and
/// stop_reason.
Replay replay(std::span<const CurvePoint> points, const ExtrapolationOptions& options,
              double d_max);

/// A curve that accuracies are drawn around.
struct TrueCurve {
  std::string_view extrapolator;   ///< the family, not gain
  std::vector<double> parameters;  ///< as in the family's fits
};

/// Smallest d <= 1 with A(1) - A(d) <= epsilon on a rising curve, by bisection.
double true_d_star(const TrueCurve& curve, double epsilon, double chance);

/// How often an extrapolator is right on simulated trajectories.
struct Coverage {
  std::int64_t trials = 0;
  std::int64_t found = 0;      ///< outcome found or needs_dense
  std::int64_t intervals = 0;  ///< of those with an interval
  std::int64_t covered = 0;    ///< intervals that hold the true d*
  double log_error = 0;        ///< mean of |log d* - log true d*| over the found
  double log_bias = 0;         ///< mean of log d* - log true d* over the found
};

/// Draws `trials` trajectories: at every density binomial(samples, A(d)) / samples, trial t by
/// RandomStream(t, "coverage-noise"), densities in order; extrapolates each with seed t. The truth
/// may be of another family than the fit.
Coverage simulate_coverage(const TrueCurve& truth, std::span<const double> densities,
                           std::int64_t samples, const ExtrapolationOptions& options,
                           std::int64_t trials);

}  // namespace gcg
