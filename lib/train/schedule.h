#pragma once

#include <cstdint>

#include "base/named.h"

namespace gcg {

enum class ScheduleShape : std::uint8_t {
  step,      ///< the peak, times 0.1 after 1/2 and again after 3/4 of the updates
  cosine,    ///< half a cosine from the peak to 0
  constant,  ///< must stay the last
};
template <>
inline constexpr auto kNames<ScheduleShape> = std::to_array<std::string_view>({"step", "cosine",
                                                                               "constant"});
static_assert(kNames<ScheduleShape>.size() ==
              static_cast<std::size_t>(ScheduleShape::constant) + 1);

/// The learning rate over one phase of training.
struct Schedule {
  ScheduleShape shape = ScheduleShape::step;
  double peak = 0.1;
  double warmup = 0;  ///< share of the phase's updates, [0, 1), with a linear rise to the peak
};

/// The learning rate of update `step` (0-based) out of `steps` in the phase. Warm-up update i of n
/// has peak (i + 1) / n. After the warm-up, step counts all of the phase's updates, cosine the
/// remaining ones.
double learning_rate(const Schedule& schedule, std::int64_t step, std::int64_t steps);

}  // namespace gcg
