#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace gcg {

/// Work on a device that is done again and again in the same memory. On a GPU it is a CUDA graph:
/// its kernels are noted once and launched together from then on, which saves what launching each
/// of them costs the host. On the CPU it is the work itself, called each time.
class StepGraph {
 public:
  /// Notes the work, and does none of it. On a GPU all tensors that it reads have to stay where
  /// they are, it may not wait for the device, and the tensors it makes are filled anew by each
  /// replay. Errors: a build whose LibTorch has no CUDA graphs; what LibTorch throws.
  StepGraph(const at::Device& device, std::function<void()> work);
  ~StepGraph();
  StepGraph(const StepGraph&) = delete;
  StepGraph& operator=(const StepGraph&) = delete;

  /// Does the work.
  void replay();

 private:
  struct Captured;
  std::function<void()> work_;
  std::unique_ptr<Captured> captured_;  ///< none on the CPU
};

/// Whether this build can capture on a GPU.
bool has_cuda_graphs();

}  // namespace gcg
