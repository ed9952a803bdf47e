#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>

namespace gcg::sparse {

/// Allocates what fills them in pages of 2 MiB, where the system has any to give: the tensors of a
/// batch are far larger than what the processor's page tables reach in pages of 4 KiB, which was
/// measured to halve the rate at which they are read.
template <typename T>
struct LargePages {
  using value_type = T;
  static constexpr std::size_t kPage = std::size_t{1} << 21;

  LargePages() = default;
  template <typename U>
  explicit LargePages(const LargePages<U>&) {}

  static std::align_val_t alignment(std::size_t count) {
    return std::align_val_t{count * sizeof(T) < kPage ? alignof(T) : kPage};
  }
  T* allocate(std::size_t count) {
    void* const memory = ::operator new(count * sizeof(T), alignment(count));
#ifdef MADV_HUGEPAGE
    if (count * sizeof(T) >= kPage) {
      madvise(memory, count * sizeof(T), MADV_HUGEPAGE);  // a wish: a refusal changes nothing
    }
#endif
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t count) { ::operator delete(memory, alignment(count)); }
  bool operator==(const LargePages&) const = default;
};

}  // namespace gcg::sparse
