#pragma once

#include <cstdint>

namespace gcg::bench {

/// Does at least `count` multiply-adds of single precision in each of `threads` threads, in
/// registers alone and with as many independent sums as hide their latency, in the widest vectors
/// the processor has. Returns how many were done in all: what nothing that loads or stores can
/// exceed.
std::int64_t multiply_add(std::int64_t threads, std::int64_t count);

}  // namespace gcg::bench
