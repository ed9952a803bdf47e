#include "train/schedule.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "base/error.h"

namespace gcg {

double learning_rate(const Schedule& schedule, std::int64_t step, std::int64_t steps) {
  if (step < 0 || step >= steps) {
    throw Error("schedule", fmt::format("update {} of {}", step, steps));
  }
  const auto warmup = std::llround(schedule.warmup * static_cast<double>(steps));
  if (step < warmup) {
    return schedule.peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  }
  switch (schedule.shape) {
    case ScheduleShape::step: {
      const double rate = 2 * step >= steps ? 0.1 : 1.0;
      return schedule.peak * (4 * step >= 3 * steps ? 0.01 : rate);
    }
    case ScheduleShape::cosine: {
      const double progress =
          static_cast<double>(step - warmup) / static_cast<double>(steps - warmup);
      return schedule.peak * 0.5 * (1 + std::cos(std::numbers::pi * progress));
    }
    case ScheduleShape::constant:
      return schedule.peak;
  }
  throw Error("schedule", "not a shape");
}

}  // namespace gcg
