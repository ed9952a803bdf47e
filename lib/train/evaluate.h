#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/batches.h"
#include "executor/executor.h"

namespace gcg {

/// Sums of loss and hits over the images at these positions, not augmented, running statistics.
/// `predictions`, if not empty, has one entry per position.
BatchSums evaluate(Executor& executor, BatchMaker& batches, std::span<const std::int64_t> positions,
                   std::span<std::int32_t> predictions = {});

}  // namespace gcg
