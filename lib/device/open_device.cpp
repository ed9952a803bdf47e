#include "device/open_device.h"

#include <ATen/Context.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <torch/csrc/api/include/torch/version.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "device/step_graph.h"

namespace gcg {

namespace {

void check_cuda() {
  if (!at::globalContext().hasCUDART()) {
    throw Error("--device cuda", "this build's LibTorch has no CUDA",
                "build with one that has: TORCH=PREFIX make programs (docs/gpus.md)");
  }
  if (!at::globalContext().hasCUDA()) {
    throw Error("--device cuda", "there is no CUDA device, or its driver is too old",
                "see what nvidia-smi says and whether CUDA_VISIBLE_DEVICES hides it, or take "
                "--device cpu");
  }
}

}  // namespace

void set_tf32(bool on) {
  // Not by setFloat32Precision, which newer ones have beside these two: it leaves the older of
  // LibTorch's two settings as it was, and where they disagree LibTorch throws. These set both.
  at::globalContext().setAllowTF32CuBLAS(on);
  at::globalContext().setAllowTF32CuDNN(on);
}

void set_deterministic(bool on) {
  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(on, false);
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 2)
  // Filling memory before it is written would cost time; nothing here reads what nobody wrote.
  context.setDeterministicFillUninitializedMemory(false);
#endif
  context.setDeterministicCuDNN(on);
  context.setBenchmarkCuDNN(!on);
}

void open_device(const DeviceSettings& settings) {
  if (settings.device == "cpu") {
    if (settings.precision == Precision::tf32) {
      throw Error("--precision tf32", "a GPU computes in it, the CPU does not", "take fp32");
    }
    return;
  }
  if (settings.deterministic) {
    // Read when cuBLAS is first used; without it its products may differ between two runs.
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  }
  if (settings.graphs && !has_cuda_graphs()) {
    throw Error("--cuda-graphs", "this build's LibTorch has no CUDA graphs",
                "build with one that has CUDA: TORCH=PREFIX make programs (docs/gpus.md)");
  }
  check_cuda();
  set_deterministic(settings.deterministic);
  set_tf32(settings.precision == Precision::tf32);
}

std::string device_name(const std::string& device) {
  if (device == "cpu") {
    return {};
  }
  // By the driver's own library, which numbers devices as CUDA_VISIBLE_DEVICES says: LibTorch's
  // headers on the matter need those of CUDA.
  const std::unique_ptr<void, int (*)(void*)> driver(dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL),
                                                     dlclose);
  if (driver == nullptr) {
    return "unknown";
  }
  const auto initialise = reinterpret_cast<int (*)(unsigned)>(dlsym(driver.get(), "cuInit"));
  const auto get_name =
      reinterpret_cast<int (*)(char*, int, int)>(dlsym(driver.get(), "cuDeviceGetName"));
  const auto get_memory =
      reinterpret_cast<int (*)(std::size_t*, int)>(dlsym(driver.get(), "cuDeviceTotalMem_v2"));
  std::array<char, 256> name{};
  std::size_t bytes = 0;
  if (initialise == nullptr || get_name == nullptr || get_memory == nullptr || initialise(0) != 0 ||
      get_name(name.data(), static_cast<int>(name.size()) - 1, 0) != 0 ||
      get_memory(&bytes, 0) != 0) {
    return "unknown";
  }
  return fmt::format("{}, {:.1f} GiB", name.data(), static_cast<double>(bytes) / (1U << 30U));
}

}  // namespace gcg
