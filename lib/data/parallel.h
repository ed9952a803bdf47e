#pragma once

#include <cstdint>
#include <functional>

namespace gcg {

/// Calls `work(i)` for every i in [0, count), on `threads` threads, in no particular order. At the
/// end it throws the exception with the smallest i; items after a failure may not have run.
void for_each_parallel(std::int64_t count, std::int64_t threads,
                       const std::function<void(std::int64_t)>& work);

/// The number of threads that this process may run at once, at least 1.
std::int64_t usable_cores();

}  // namespace gcg
