// What a run takes from LibTorch: the backends written in it.
#include <fmt/format.h>

#include <array>

#include "base/host.h"
#include "dense/torch_executor.h"
#include "device/device_executor.h"
#include "run/backends.h"
#include "run/libtorch.h"

namespace gcg {

namespace {

MadeBackend make_dense(const RunSettings& settings, const Network& network) {
  const BlasFacts blas = blas_facts();
  MadeBackend made;
  made.executor = make_torch_executor(network, threads_of_a_process(settings), settings.device);
  made.facts.rule = "dense everywhere";
  made.libraries = {{"BLAS", fmt::format("{} ({})", blas.version, blas.library)}};
  made.warning = blas.warning;
  return made;
}

MadeBackend make_device(const RunSettings& settings, const Network& network) {
  MadeBackend made;
  made.executor = make_device_executor(network, threads_of_a_process(settings),
                                       {settings.device, precision_named(settings.precision),
                                        settings.deterministic, settings.cuda_graphs});
  made.facts.rule = "dense everywhere";
  if (settings.device == "cpu") {
    const BlasFacts blas = blas_facts();
    made.libraries.push_back({"BLAS", fmt::format("{} ({})", blas.version, blas.library)});
    made.warning = blas.warning;
  } else {
    made.libraries.push_back({"GPU", device_name(settings.device)});
  }
  return made;
}

constexpr std::array<BackendMaker, 3> kMakers{
    {{"sparse", make_sparse}, {"dense", make_dense}, {"device", make_device}}};

}  // namespace

std::span<const BackendMaker> backend_makers() { return kMakers; }

std::optional<Library> libtorch() { return Library{"LibTorch", torch_version()}; }

}  // namespace gcg
