#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/executor.h"
#include "backend/ranks.h"
#include "data/loader.h"

namespace gcg {

/// Sums of loss and hits over the images at these positions, not augmented, running statistics.
/// What `each` asks for has an element per position. `loader` makes the batches, and nothing else
/// meanwhile, for `delivery`. `ranks`: each has a part of the batches; what comes out is the same,
/// bit for bit, as of one process.
BatchSums evaluate(Executor& executor, Loader& loader, const SampleMaker& samples,
                   std::span<const std::int64_t> positions, const PerSample& each = {},
                   Delivery delivery = Delivery::values, Ranks* ranks = nullptr);

}  // namespace gcg
