#pragma once

#include <functional>
#include <string>

#include "backend/executor.h"
#include "backend/precision.h"
#include "dense/torch_executor.h"
#include "graph/network.h"

namespace gcg::bench {

/// Training steps as LibTorch's own operations make it: conv2d, batch_norm, relu, add, pooling,
/// linear and cross_entropy under autograd, then SGD in place (momentum, Nesterov, weight decay),
/// dense. What a user would write who has no executor of this project. With Precision::bf16 what
/// convolutions and linear layers multiply is cast to bf16, as automatic mixed precision does, and
/// what follows stays in it up to the loss. The weights start at random; `batch` must outlive the
/// result, which runs so many steps on a device and waits for the last one.
std::function<void(int steps)> plain_torch_steps(const Network& network, const Batch& batch,
                                                 std::int64_t threads, ChannelOrder order,
                                                 Precision precision, const std::string& device);

/// One step on the CPU.
std::function<void()> plain_torch_step(const Network& network, const Batch& batch,
                                       std::int64_t threads, ChannelOrder order,
                                       Precision precision);

}  // namespace gcg::bench
