#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/executor.h"
#include "dense/channel_order.h"
#include "graph/network.h"

namespace gcg {

/// The LibTorch executor: dense weights whose absent positions are zero bits, autograd on a
/// `device` of the backend's row. The reference, and the baseline sparse execution has to beat.
/// Bit-identical for a fixed number of threads. `threads` is LibTorch's number of threads, set for
/// the calling thread by every call that finds another one. For the whole process the C library is
/// told to keep freed memory instead of returning it to the system. One executor must not be called
/// from two threads at once. Errors: threads outside of [1, 1024], a pooling padded by more than
/// half of its window.
std::unique_ptr<Executor> make_torch_executor(const Network& network, std::int64_t threads,
                                              const std::string& device);

/// The same on the CPU.
inline std::unique_ptr<Executor> make_torch_executor(const Network& network, std::int64_t threads) {
  return make_torch_executor(network, threads, "cpu");
}

/// The same with a given order; which one is faster depends on widths, threads and processor.
std::unique_ptr<Executor> make_torch_executor(const Network& network, std::int64_t threads,
                                              ChannelOrder order,
                                              const std::string& device = "cpu");

/// Tells the C library, for the whole process, to keep freed memory. Every step allocates and frees
/// the same activations; by default glibc gives them back to the system and faults their pages in
/// anew each time, about a tenth of a step.
void keep_freed_memory();

/// Which BLAS LibTorch really calls, and whether it is the one that is fast and deterministic.
struct BlasFacts {
  std::string
      library;  ///< path of the shared object behind libblas.so.3, or the one with MKL in it
  std::string version;  ///< "OpenBLAS 0.3.21 ...", MKL's own words, or empty
  std::string warning;  ///< what to do if it is neither MKL nor OpenBLAS with OpenMP, or slow here
};
BlasFacts blas_facts();

/// Whether OpenBLAS runs by the kernels of a processor without AVX (`core`, in its words) although
/// this one has the instructions (HostFacts): the warning, or nothing.
std::string warning_of_kernels(std::string_view core, std::string_view instructions);

/// "1.13.0": what LibTorch's own headers say; a package may count patches differently.
std::string torch_version();

}  // namespace gcg
