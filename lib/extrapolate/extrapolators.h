#pragma once

#include "extrapolate/curve.h"

namespace gcg {

/// One row of the table each, from the source file of the same name.
ExtrapolatorEntry logistic_extrapolator();
ExtrapolatorEntry power_extrapolator();
ExtrapolatorEntry exponential_extrapolator();
ExtrapolatorEntry gain_extrapolator();

}  // namespace gcg
