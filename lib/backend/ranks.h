#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>

#include "backend/executor.h"

namespace gcg {

class TensorExchange;  // dense/tensor_exchange.h

/// The processes that train one run together, as one of them sees it. All of them make the same
/// calls in the same order. Every call throws an Error that says which rank is gone or silent, and
/// RanksStopped if one was stopped.
class Ranks {
 public:
  virtual ~Ranks() = default;

  [[nodiscard]] virtual std::int64_t rank() const = 0;  ///< from 0 on
  [[nodiscard]] virtual std::int64_t size() const = 0;

  /// Of every rank the same number of bytes, in the order of the ranks: `all` has size() times the
  /// bytes of `own`.
  virtual void gather(std::span<const std::byte> own, std::span<std::byte> all) = 0;
  /// Every value becomes its sum over the ranks, added up from rank 0 on: the same bits on all of
  /// them and in every repetition.
  virtual void sum(std::span<float> values) = 0;
  /// Comes back when every rank has called it; waits longer than the others, for work that takes
  /// some of them long: reading data, writing files.
  virtual void meet() = 0;
  /// Where tensors of a device ("cpu", "cuda") go from rank to rank as they are; lives as long as
  /// this. Null: they go through the host, by gather() and sum().
  virtual TensorExchange* tensors_on(const std::string& /*device*/) { return nullptr; }
};

/// Thrown in the other ranks when one was stopped by a signal. LibTorch's autograd passes nothing
/// on but exceptions of the library; nothing failed.
struct RanksStopped : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return "another rank was stopped"; }
};

/// The same for numbers and other plain values.
template <typename T>
void gather(Ranks& ranks, std::span<const T> own, std::span<T> all) {
  ranks.gather(std::as_bytes(own), std::as_writable_bytes(all));
}

/// Sums of batches, each of which all ranks have a share of, become those of the whole batches.
void sum(Ranks& ranks, std::span<BatchSums> batches);

/// Samples [begin, end) of a batch.
struct Share {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  [[nodiscard]] std::int64_t size() const { return end - begin; }
};

/// A batch has to have as many samples per rank to be shared out: a normalisation needs two.
inline constexpr std::int64_t kLeastShare = 2;

/// What a rank trains of a batch: consecutive samples, on every rank as many up to one. A batch
/// that is too small to be shared out (kLeastShare) is trained whole by every rank.
Share share_of(std::int64_t samples, std::int64_t rank, std::int64_t ranks);

}  // namespace gcg
