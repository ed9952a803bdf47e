#pragma once

#include <cstdint>

namespace gcg::testing {

// Counts what this process asks the C library's heap for, operator new and every library included.
// A program that calls one of these gets malloc and its kin replaced by ones that count; sanitizers
// bring their own, so it cannot be built with them.

/// Calls of malloc, calloc, realloc and the aligned forms so far.
std::int64_t heap_allocations();
/// Bytes in use, as the heap rounds them.
std::int64_t heap_bytes();
/// The most bytes in use since the last call of reset_heap_peak.
std::int64_t heap_peak();
void reset_heap_peak();

}  // namespace gcg::testing
