#include "device/failures.h"

#include <fmt/format.h>

namespace gcg {

Error explain_failure(const std::string& where, std::string_view said, std::int64_t batch,
                      const std::function<bool(std::int64_t)>& fits) {
  const auto says = [&](std::string_view part) { return said.find(part) != said.npos; };
  const std::string first(said.substr(0, said.find('\n')));
  // "CUBLAS_STATUS_ALLOC_FAILED" and its like: libraries beside LibTorch that found no room.
  if (says("out of memory") || says("can't allocate memory") || says("_ALLOC_FAILED") ||
      says("_ALLOCATION_FAILED")) {
    std::int64_t smaller = fits ? batch / 2 : 0;
    while (smaller > 1 && !fits(smaller)) {
      smaller /= 2;
    }
    return {where,
            batch > 0 ? fmt::format("out of memory with a batch of {}", batch) : "out of memory",
            smaller > 1 ? fmt::format("--batch-size {} fits; what was saved stays", smaller)
                        : fmt::format("{}take a smaller network, or free the device's memory "
                                      "(nvidia-smi); what was saved stays",
                                      fits ? "no smaller batch fits either: " : "")};
  }
  if (says("CUBLAS_WORKSPACE_CONFIG")) {
    return {where, "cuBLAS may round differently each time as the environment sets it up",
            "unset CUBLAS_WORKSPACE_CONFIG, or set it to :4096:8"};
  }
  // "adaptive_avg_pool2d_backward_cuda does not have a deterministic implementation, but you set
  // 'torch.use_deterministic_algorithms(True)'. ..."
  if (const std::size_t name = first.find(" does not have a deterministic implementation");
      name != first.npos) {
    return {where, first.substr(0, name) + " has no deterministic form in this LibTorch",
            "take --deterministic off (another run), another LibTorch (TORCH, docs/gpus.md), or "
            "--device cpu"};
  }
  if (says("captur")) {  // "operation not permitted when stream is capturing", and its like
    return {where, "this step cannot be a CUDA graph: " + first, "leave --cuda-graphs out"};
  }
  return {where, first};
}

}  // namespace gcg
