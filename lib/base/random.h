#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace gcg {

/// One block of the counter-based generator Philox4x32-10 (Salmon et al. 2011, "Parallel random
/// numbers: as easy as 1, 2, 3"): a pure function of counter and key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// A sequence of random numbers that depends on (seed, name, index) alone: not on what other
/// streams drew, on threads or on resuming. There is no shared state. Cheap to copy.
///
/// The first values of RandomStream(1, "test", 0) are pinned in tests/base/random_test.cpp.
class RandomStream {
 public:
  /// `name` says what the numbers are for ("initial-weights", "order", ...), `index` which of
  /// several (an epoch, a stage, a layer). The pair (seed, name) becomes the key by SHA-256.
  RandomStream(std::uint64_t seed, std::string_view name, std::uint64_t index = 0);

  /// A stream with the same key and another index: cheap, for one stream per sample.
  [[nodiscard]] RandomStream at(std::uint64_t index) const;

  std::uint32_t next_u32();
  std::uint64_t next_u64();
  /// Uniform in [0, 1), 53 random bits.
  double uniform();
  /// Uniform in (0, 1), so that its logarithm is finite.
  double uniform_open();
  /// Uniform in [0, bound), without bias; bound must be positive.
  std::uint64_t below(std::uint64_t bound);
  /// Standard normal (Box-Muller). The second value of each pair is thrown away, so that the number
  /// of draws does not depend on history.
  double normal();

  /// Fisher-Yates shuffle.
  template <typename T>
  void shuffle(std::span<T> values) {
    for (std::size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[below(i)]);
    }
  }

 private:
  std::array<std::uint32_t, 2> key_{};
  std::uint64_t index_ = 0;
  std::uint64_t block_ = 0;
  std::array<std::uint32_t, 4> buffer_{};
  int used_ = 4;
};

/// The index of a stream that is keyed by two numbers; an Error unless each is below 2^32.
std::uint64_t stream_index(std::uint64_t high, std::uint64_t low);

}  // namespace gcg
