#pragma once

#include <span>

#include "study/experiment.h"

namespace gcg::experiments {

/// Every experiment, in the order of table.def.
std::span<const Experiment> experiment_table();

}  // namespace gcg::experiments
