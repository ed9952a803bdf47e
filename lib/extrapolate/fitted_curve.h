#pragma once

#include "extrapolate/fit.h"

namespace gcg {

/// What a fitted family of curves says of a trajectory: fit, covariance, outcome in the order of
/// `Outcome`, d* and its interval. Arguments as checked by extrapolate().
Extrapolation extrapolate_curve(const CurveModel& model, std::span<const CurvePoint> points,
                                const ExtrapolationOptions& options);

}  // namespace gcg
