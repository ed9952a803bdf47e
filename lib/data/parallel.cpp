#include "data/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/host.h"

namespace gcg {

void for_each_parallel(std::int64_t count, std::int64_t threads,
                       const std::function<void(std::int64_t)>& work) {
  std::atomic<std::int64_t> next{0};
  std::atomic<std::int64_t> failed_at{count};
  std::mutex mutex;
  std::exception_ptr failure;
  // Indices are handed out in order: all below the first failure are done before it is reported.
  const auto run = [&] {
    for (std::int64_t i = next++; i < failed_at; i = next++) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (i < failed_at) {
          failed_at = i;
          failure = std::current_exception();
        }
      }
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::int64_t t = 1; t < std::min(threads, count); ++t) {
      others.emplace_back(run);
    }
    run();
  }
  if (failure) {
    std::rethrow_exception(failure);
  }
}

std::int64_t usable_cores() { return std::max<std::int64_t>(1, host_facts().cores); }

}  // namespace gcg
