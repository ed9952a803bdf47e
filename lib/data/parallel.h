#pragma once

#include <cstdint>
#include <functional>

namespace gcg {

/// Calls `work(i)` for every i in [0, count), on this many threads, in no certain order. The first
/// Error by i is thrown when all threads have ended; what comes after a failure may be left undone.
void for_each_parallel(std::int64_t count, std::int64_t threads,
                       const std::function<void(std::int64_t)>& work);

/// Threads that this process may use at once.
std::int64_t usable_cores();

}  // namespace gcg
