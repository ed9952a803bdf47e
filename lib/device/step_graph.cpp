#include "device/step_graph.h"

#include <utility>

#include "base/error.h"

// Found when the build is configured: the headers are those of a LibTorch with CUDA, and include
// CUDA's own.
#ifdef GCG_CUDA_GRAPHS
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <c10/util/Exception.h>
#endif

namespace gcg {

#ifdef GCG_CUDA_GRAPHS

struct StepGraph::Captured {
  at::cuda::CUDAGraph graph;

  explicit Captured(const std::function<void()>& work) {
    c10::cuda::device_synchronize();
    // The graph has memory of its own, which is new to the allocator, and what steps before it have
    // left in the allocator's cache cannot be freed during the capture: on a GPU that a batch
    // nearly fills there would be none.
    c10::cuda::CUDACachingAllocator::emptyCache();
    // The default stream cannot be captured.
    const c10::cuda::CUDAStreamGuard guard(c10::cuda::getStreamFromPool());
    graph.capture_begin();
    try {
      work();
    } catch (...) {
      try {
        graph.capture_end();  // else nothing else could be done on the device
      } catch (const c10::Error&) {
        // What went wrong first is told.
      }
      throw;
    }
    graph.capture_end();
  }
  void replay() { graph.replay(); }
};

bool has_cuda_graphs() { return true; }

#else

struct StepGraph::Captured {
  explicit Captured(const std::function<void()>& /*work*/) {
    throw Error("--cuda-graphs", "this build's LibTorch has no CUDA graphs",
                "build with one that has CUDA: TORCH=PREFIX make programs (docs/gpus.md)");
  }
  void replay() {}
};

bool has_cuda_graphs() { return false; }

#endif

StepGraph::StepGraph(const at::Device& device, std::function<void()> work)
    : work_(std::move(work)) {
  if (!device.is_cpu()) {
    captured_ = std::make_unique<Captured>(work_);
  }
}

StepGraph::~StepGraph() = default;

void StepGraph::replay() { captured_ ? captured_->replay() : work_(); }

}  // namespace gcg
