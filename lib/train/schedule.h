#pragma once

#include <cstdint>

#include "base/named.h"

namespace gcg {

enum class ScheduleShape : std::uint8_t {
  step,      ///< the peak, x0.1 after 1/2 and again after 3/4 of the updates
  cosine,    ///< from the peak to 0 along half a cosine
  constant,  ///< stays the last
};
template <>
inline constexpr auto kNames<ScheduleShape> = std::to_array<std::string_view>({"step", "cosine",
                                                                               "constant"});
static_assert(kNames<ScheduleShape>.size() ==
              static_cast<std::size_t>(ScheduleShape::constant) + 1);

/// Learning rate over one phase of training.
struct Schedule {
  ScheduleShape shape = ScheduleShape::step;
  double peak = 0.1;
  double warmup = 0;  ///< share of the phase's updates in [0, 1) that rise linearly to the peak
};

/// Learning rate of update `step` (0-based) of `steps` in the phase. Warm-up update i has
/// peak (i + 1) / n; the shape then runs over all the phase's updates (step) or the remaining
/// (cosine).
double learning_rate(const Schedule& schedule, std::int64_t step, std::int64_t steps);

}  // namespace gcg
