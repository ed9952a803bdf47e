#include "train/method.h"

#include <cmath>

namespace gcg {

std::int64_t Method::planned_epochs(const Recipe& recipe, const Network& network) const {
  double epochs = 0;
  for (const PlannedPart& part : planned_course(recipe, network)) {
    epochs += part.epochs;
  }
  return std::llround(epochs);
}

}  // namespace gcg
