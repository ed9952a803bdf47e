#pragma once

#include <cstdint>
#include <memory>

#include "backend/executor.h"
#include "device/open_device.h"
#include "graph/network.h"

namespace gcg {

/// Steps whose sums queue() may keep back before it waits for them; of evaluations likewise.
inline constexpr std::size_t kQueuedSteps = 64;

/// Steps of one batch size before they become a graph: LibTorch has chosen its kernels by then.
inline constexpr std::int64_t kWarmUp = 3;

/// Masks on dense weights in LibTorch, all of it on one device: weights, masks, slots, running
/// statistics, loss and optimiser. A loop that calls queue() and step() does not wait for the
/// device but once in kQueuedSteps steps, one of queue_evaluation() once in as many batches. With
/// `settings.graphs` the forward and the backward pass of a batch size that came kWarmUp times in a
/// row is a StepGraph from then on; states that are written, masks among them, leave it as it is.
/// Raw images of up to kMostHeldBytes are held there; others are taken as bytes. `threads`: of
/// LibTorch on the CPU. Errors: as open_device and TorchNetwork.
std::unique_ptr<Executor> make_device_executor(const Network& network, std::int64_t threads,
                                               const DeviceSettings& settings);

}  // namespace gcg
