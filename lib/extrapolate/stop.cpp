#include <fmt/format.h>

#include "base/error.h"
#include "extrapolate/curve.h"

namespace gcg {

namespace {

bool reached(const CurvePoint& point, const Extrapolation& fit) {
  return (fit.outcome == Outcome::found && point.density >= fit.d_star) ||
         (fit.outcome == Outcome::needs_dense && point.density >= 1);
}

}  // namespace

std::string_view stop_reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::none:
      return "none";
    case StopReason::reached_d_star:
      return "reached_d_star";
    case StopReason::reached_d_max:
      return "reached_d_max";
  }
  throw Error("stop_reason_name", "not a stop reason");
}

StopReason stop_reason(std::span<const CurvePoint> points, std::span<const Extrapolation> fits,
                       double d_max) {
  if (points.size() != fits.size()) {
    throw Error("stop_reason", fmt::format("{} stages but {} fits", points.size(), fits.size()));
  }
  if (!(d_max > 0 && d_max <= 1)) {
    throw Error("stop_reason", fmt::format("d_max is {}, outside of (0, 1]", d_max));
  }
  const std::size_t n = points.size();
  if (n >= 2 && reached(points[n - 1], fits[n - 1]) && reached(points[n - 2], fits[n - 2])) {
    return StopReason::reached_d_star;
  }
  if (n >= 1 && points[n - 1].density >= d_max) {
    return StopReason::reached_d_max;
  }
  return StopReason::none;
}

}  // namespace gcg
