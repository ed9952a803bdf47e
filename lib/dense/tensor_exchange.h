#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "backend/ranks.h"

namespace gcg {

/// How the ranks of a run exchange tensors of one device. Every rank makes the same calls in the
/// same order; on a GPU they are queued like its other work, and the host waits for none of them.
/// Errors: as those of Ranks, from this call or, where it was queued, from a later one.
class TensorExchange {
 public:
  virtual ~TensorExchange() = default;

  /// Of every rank a tensor of the same sizes and type: [ranks][...], in the order of the ranks.
  virtual at::Tensor gather(const at::Tensor& own) = 0;
  /// Every value of [n] floats, contiguous, becomes its sum over the ranks, added up from rank 0
  /// on: the same bits on all of them, in every repetition and however they are exchanged.
  virtual void sum(const at::Tensor& values) = 0;
};

/// By way of the host, whatever the device.
std::unique_ptr<TensorExchange> exchange_on_host(Ranks& ranks);

}  // namespace gcg
