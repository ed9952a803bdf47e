#include "base/heap.h"

#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

// The C library's own, under the names it keeps for replacements like these.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);
}

namespace {

constinit std::atomic<std::int64_t> allocations{0};
constinit std::atomic<std::int64_t> bytes{0};
constinit std::atomic<std::int64_t> peak{0};

std::int64_t size_of(void* memory) { return static_cast<std::int64_t>(malloc_usable_size(memory)); }

void* counted(void* memory) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (memory != nullptr) {
    const std::int64_t now = bytes.fetch_add(size_of(memory), std::memory_order_relaxed) +
                             static_cast<std::int64_t>(size_of(memory));
    std::int64_t highest = peak.load(std::memory_order_relaxed);
    while (now > highest && !peak.compare_exchange_weak(highest, now)) {
    }
  }
  return memory;
}

void forget(void* memory) {
  if (memory != nullptr) {
    bytes.fetch_sub(size_of(memory), std::memory_order_relaxed);
  }
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) { return counted(__libc_malloc(size)); }

void* calloc(std::size_t count, std::size_t size) { return counted(__libc_calloc(count, size)); }

void* realloc(void* memory, std::size_t size) {
  forget(memory);
  return counted(__libc_realloc(memory, size));
}

void* memalign(std::size_t alignment, std::size_t size) {
  return counted(__libc_memalign(alignment, size));
}

void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }

int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  *memory = memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}

void free(void* memory) {
  forget(memory);
  __libc_free(memory);
}

}  // extern "C"

namespace gcg::testing {

std::int64_t heap_allocations() { return allocations.load(); }

std::int64_t heap_bytes() { return bytes.load(); }

std::int64_t heap_peak() { return peak.load(); }

void reset_heap_peak() { peak.store(bytes.load()); }

}  // namespace gcg::testing
