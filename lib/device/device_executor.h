#pragma once

#include <cstdint>
#include <memory>

#include "backend/executor.h"
#include "device/open_device.h"
#include "graph/network.h"

namespace gcg {

/// Steps whose sums queue() may keep back before it waits for them.
inline constexpr std::size_t kQueuedSteps = 64;

/// Masks on dense weights in LibTorch, all of it on one device: weights, masks, slots, running
/// statistics, loss and optimiser. A loop that calls queue() and step() does not wait for the
/// device but once in kQueuedSteps steps. Raw images of up to kMostHeldBytes are held there.
/// `threads`: of LibTorch on the CPU. Errors: as open_device and TorchNetwork.
std::unique_ptr<Executor> make_device_executor(const Network& network, std::int64_t threads,
                                               const DeviceSettings& settings);

}  // namespace gcg
