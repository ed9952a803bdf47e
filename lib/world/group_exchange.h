#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/api/include/torch/version.h>

#if TORCH_VERSION_MAJOR >= 2
#include <torch/csrc/distributed/c10d/Backend.hpp>
#else
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#endif

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "dense/tensor_exchange.h"

namespace gcg {

#if TORCH_VERSION_MAJOR >= 2
using Group = c10d::Backend;
#else
using Group = c10d::ProcessGroup;
#endif

/// Tensors from rank to rank through a group of c10d: Gloo's on the CPU, where a call is done when
/// it comes back, NCCL's on GPUs, where it is queued then. A thread looks after what is queued: the
/// host may wait for the GPU anywhere in LibTorch, and a GPU waits for one that is gone for ever.
/// Every call throws std::exception if it, or one before it, failed.
class GroupExchange final : public TensorExchange {
 public:
  /// What is about queued calls.
  struct Queue {
    /// Seconds that the oldest of them may take once those before it are done.
    double patience = 0;
    /// Whether a rank has ended; then that is kEndedPatience at most.
    std::function<bool()> ended = [] { return false; };
    /// Ends the waiting of the device, once or more often; what it computes from then on means
    /// nothing.
    std::function<void()> abort = [] {};
  };
  static constexpr double kEndedPatience = 0.5;

  GroupExchange(c10::intrusive_ptr<Group> group, Queue queue);
  ~GroupExchange() override;
  GroupExchange(const GroupExchange&) = delete;
  GroupExchange& operator=(const GroupExchange&) = delete;

  at::Tensor gather(const at::Tensor& own) override;
  void sum(const at::Tensor& values) override;

  /// Throws if a queued call has failed.
  void check();
  /// Lets go of the other ranks, which fail then if they wait for this one.
  void close() noexcept;

 private:
  using Call = c10::intrusive_ptr<c10d::Work>;

  Group& group();
  /// Of a call that was made: makes what comes next on this device wait for it.
  void await(const Call& call);
  /// Those below with `mutex_`.
  void take_out_finished();
  void fail(std::string why);
  void look_after(const std::stop_token& stop);
  void abort() noexcept;

  c10::intrusive_ptr<Group> group_;
  const Queue queue_;
  std::mutex mutex_;
  std::condition_variable_any queued_;
  std::deque<Call> calls_;  ///< queued, oldest first
  double since_ = 0;        ///< when the oldest one was queued, or the one before it finished
  std::string failure_;
  std::jthread thread_;  ///< last, so that it ends first
};

}  // namespace gcg
