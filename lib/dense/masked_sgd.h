#pragma once

#include <cstdint>
#include <span>

#include "backend/executor.h"

namespace gcg {

/// Sets every element whose selector is 0 to +0 and leaves those whose selector is -1 as they are,
/// bit by bit: whatever stood there, NaN included, is gone. Equal sizes.
void select(std::span<float> values, std::span<const std::int32_t> selectors);

/// The update of SgdStep on one array in single precision, one pass. Where value, slot and gradient
/// are +0 they stay +0 (the numbers of `step` being finite): an absent connection stays absent.
void sgd_update(std::span<float> values, std::span<float> momentum, std::span<const float> gradient,
                const SgdStep& step);

/// The `update`-th (from 1 on) update of AdamWStep on one array, likewise; `step.weight_decay` is
/// applied whatever the array is.
void adamw_update(std::span<float> values, std::span<float> momentum, std::span<float> squares,
                  std::span<const float> gradient, const AdamWStep& step, std::int64_t update);

}  // namespace gcg
