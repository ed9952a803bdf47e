#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "graph/network.h"

namespace gcg {

/// One bit per connection of one layer, in the order of the layer's weight array. Bits after the
/// last connection are zero, so that words can be compared, counted and stored as they are.
class LayerMask {
 public:
  LayerMask() = default;
  explicit LayerMask(std::int64_t size, bool present = false);
  /// From stored words. An Error if their number does not fit or a bit after the end is set.
  LayerMask(std::int64_t size, std::vector<std::uint64_t> words);

  [[nodiscard]] std::int64_t size() const { return size_; }
  /// Number of present connections (counted on every call, by a pass over the words).
  [[nodiscard]] std::int64_t count() const;
  [[nodiscard]] bool test(std::int64_t i) const {
    return ((words_[static_cast<std::size_t>(i >> 6)] >> (i & 63)) & 1U) != 0;
  }
  void set(std::int64_t i) {
    words_[static_cast<std::size_t>(i >> 6)] |= std::uint64_t{1} << (i & 63);
  }
  void reset(std::int64_t i) {
    words_[static_cast<std::size_t>(i >> 6)] &= ~(std::uint64_t{1} << (i & 63));
  }
  /// Bit i of the layer is bit i % 64 of word i / 64.
  [[nodiscard]] std::span<const std::uint64_t> words() const { return words_; }

  /// Calls f(i) for every present connection, in ascending order.
  template <typename F>
  void for_each_present(F f) const {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      for (std::uint64_t bits = words_[w]; bits != 0; bits &= bits - 1) {
        f(static_cast<std::int64_t>(w * 64) + std::countr_zero(bits));
      }
    }
  }

  bool operator==(const LayerMask&) const = default;

 private:
  std::int64_t size_ = 0;
  std::vector<std::uint64_t> words_;
};

/// Which connections of a network are present.
struct Mask {
  std::vector<LayerMask> layers;

  Mask() = default;
  /// All connections absent or all present.
  Mask(const Network& network, bool present);

  [[nodiscard]] std::int64_t present() const;
  [[nodiscard]] std::int64_t connections() const;
  /// present / connections.
  [[nodiscard]] double density() const;
  /// Present connections per layer.
  [[nodiscard]] std::vector<std::int64_t> counts() const;
  bool operator==(const Mask&) const = default;
};

/// Throws an Error that names the layer unless the mask has the network's layers and sizes.
void check_sizes(const Network& network, const Mask& mask);

/// The Jaccard index |a and b| / |a or b| of one layer or of all; 1 if both are empty.
double jaccard(const LayerMask& a, const LayerMask& b);
double jaccard(const Mask& a, const Mask& b);

/// A uniformly random set of `count` out of `size` connections.
LayerMask random_layer(std::int64_t size, std::int64_t count, RandomStream& stream);

/// Adds the connections of `other` to `mask`.
void unite(Mask& mask, const Mask& other);

}  // namespace gcg
