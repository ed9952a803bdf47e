#pragma once

#include <cstdint>
#include <vector>

#include "backend/optimiser.h"
#include "dense/torch_network.h"

namespace gcg {

/// One update of everything by an optimiser of the table, in operations on whole tensors: values
/// and slots stay where they are, and no device is waited for. `number`: of this update since the
/// slots were empty. Each formula is that of the optimiser's file in lib/backend; where value,
/// slots and gradient are +0 they stay +0.
void update_on_device(const OptimiserStep& step, std::int64_t number,
                      std::vector<Trained>& trained);

}  // namespace gcg
