#include <ATen/Context.h>
#include <ATen/Version.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <torch/csrc/api/include/torch/version.h>

#include <filesystem>
#include <memory>

#include "base/host.h"
#include "dense/torch_executor.h"

namespace gcg {

namespace {

constexpr const char* kRemedy =
    "install OpenBLAS with OpenMP (Debian: libopenblas0-openmp) and make "
    "it the only provider of libblas.so.3";

/// The file a symbol was loaded from, links followed; empty if unknown.
std::string file_of(void* symbol) {
  Dl_info info{};
  if (symbol == nullptr || dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) {
    return {};
  }
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(info.dli_fname, error);
  return error ? info.dli_fname : path.string();
}

}  // namespace

std::string warning_of_kernels(std::string_view core, std::string_view instructions) {
  // What OpenBLAS takes for processors that are newer than itself.
  if (core != "Prescott" || (instructions != "avx512" && instructions != "avx2")) {
    return {};
  }
  return fmt::format(
      "OpenBLAS multiplies matrices by kernels of 2004 ({}), as it does on processors that it "
      "does not know: dense training, of transformers above all, is much slower than it can be: "
      "set "
      "OPENBLAS_CORETYPE={} in the environment, or install a newer OpenBLAS",
      core, instructions == "avx512" ? "SkylakeX" : "Haswell");
}

BlasFacts blas_facts() {
  BlasFacts facts;
  if (at::hasMKL()) {
    // Inside LibTorch, which then asks no other library.
    facts.library = file_of(reinterpret_cast<void*>(&at::get_mkl_version));
    facts.version = at::get_mkl_version();
    return facts;
  }
  // Already loaded by LibTorch; opening it again only gives a handle whose symbols come from it or
  // from what it links (Debian's libblas.so.3 of OpenBLAS is a thin library in front of
  // libopenblas.so.0).
  const std::unique_ptr<void, int (*)(void*)> library(dlopen("libblas.so.3", RTLD_NOW | RTLD_LOCAL),
                                                      dlclose);
  if (library == nullptr) {
    facts.warning = fmt::format("no libblas.so.3 can be loaded: {}", kRemedy);
    return facts;
  }
  facts.library = file_of(dlsym(library.get(), "sgemm_"));
  using Text = char* (*)();
  using Number = int (*)();
  const auto config = reinterpret_cast<Text>(dlsym(library.get(), "openblas_get_config"));
  const auto parallel = reinterpret_cast<Number>(dlsym(library.get(), "openblas_get_parallel"));
  if (config == nullptr || parallel == nullptr) {
    facts.warning =
        fmt::format("{} is not OpenBLAS, training will be slow: {}", facts.library, kRemedy);
    return facts;
  }
  facts.version = config();
  constexpr int kOpenMp = 2;
  if (parallel() != kOpenMp) {
    facts.warning = fmt::format("{} does not use OpenMP, it ignores the number of threads: {}",
                                facts.library, kRemedy);
  } else if (const auto core =
                 reinterpret_cast<Text>(dlsym(library.get(), "openblas_get_corename"))) {
    facts.warning = warning_of_kernels(core(), host_facts().instructions);
  }
  return facts;
}

std::string torch_version() {
  return fmt::format("{}.{}.{}", TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR, TORCH_VERSION_PATCH);
}

}  // namespace gcg
