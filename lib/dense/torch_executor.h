#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "executor/executor.h"
#include "graph/network.h"

namespace gcg {

/// The LibTorch executor: dense weights whose absent positions are zero bits, autograd on the CPU.
/// The reference, and the baseline sparse execution has to beat. Bit-identical for a fixed number
/// of threads. `threads` sets LibTorch's (process-wide) number of threads.
std::unique_ptr<Executor> make_torch_executor(const Network& network, std::int64_t threads);

/// Which BLAS LibTorch really calls, and whether it is the one that is fast and deterministic.
struct BlasFacts {
  std::string library;  ///< path of the shared object behind libblas.so.3
  std::string version;  ///< "OpenBLAS 0.3.21 ..." or empty
  std::string warning;  ///< what to install if it is not OpenBLAS with OpenMP; empty if all is well
};
BlasFacts blas_facts();

/// "1.13.1"
std::string torch_version();

}  // namespace gcg
