#pragma once

#include <cstdint>
#include <memory>

#include "backend/executor.h"
#include "backend/precision.h"
#include "graph/network.h"

namespace gcg {

namespace sparse {
struct Kernels;
struct TileKernels;

/// Which convolutions between tensors in bf16 run by tiles, masked dense: those of a density of
/// `from` on, if there are kernels (sparse/tiles.h). In single precision none does.
struct TileChoice {
  const TileKernels* kernels = nullptr;
  double from = 0;
};
}  // namespace sparse

/// The executor that holds and computes present weights only: time and memory follow the density.
/// Samples lie innermost, in blocks of 16; a network runs from its input to the loss and back in
/// this layout. Results are the same bits for any number of threads and for every instruction set
/// with a fused multiply-add. Memory is taken when a batch is larger than all before it, and by
/// write(); a step takes none. Precision::bf16 halves the tensors of the batch; its bits are its
/// own. `threads` is 1 to 1024. Layers and pools that the indexes cannot hold are Errors that name
/// them.
std::unique_ptr<Executor> make_sparse_executor(const Network& network, std::int64_t threads,
                                               Precision precision);
/// In single precision.
std::unique_ptr<Executor> make_sparse_executor(const Network& network, std::int64_t threads);

/// The same with the kernels of one instruction set, which must outlive the executor.
std::unique_ptr<Executor> make_sparse_executor(const Network& network, std::int64_t threads,
                                               const sparse::Kernels& kernels,
                                               Precision precision = Precision::fp32,
                                               const sparse::TileChoice& tiles = {});

}  // namespace gcg
