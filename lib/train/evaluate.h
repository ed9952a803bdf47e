#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/executor.h"
#include "data/loader.h"

namespace gcg {

/// Sums of loss and hits over the images at these positions, without augmentation and with running
/// statistics. Non-empty spans of `each` need one element per position. Batches are made ahead on
/// `loader_threads` threads. `held`: the executor holds the images of `samples`.
BatchSums evaluate(Executor& executor, const SampleMaker& samples,
                   std::span<const std::int64_t> positions, std::int64_t loader_threads,
                   const PerSample& each = {}, bool held = false);

}  // namespace gcg
