#pragma once

#include <cstdint>
#include <span>

#include "executor/executor.h"

namespace gcg {

/// Sets every element whose selector is 0 to +0 and leaves those whose selector is -1 as they are,
/// bit by bit: whatever stood there, NaN included, is gone. Equal sizes.
void select(std::span<float> values, std::span<const std::int32_t> selectors);

/// The update of SgdStep on one array in single precision, one pass. Where value, slot and gradient
/// are +0 they stay +0 (the numbers of `step` being finite): an absent connection stays absent.
void sgd_update(std::span<float> values, std::span<float> momentum, std::span<const float> gradient,
                const SgdStep& step);

}  // namespace gcg
