#pragma once

#include <cstdint>

#include "graph/network.h"

namespace gcg {

/// Where the channels of a tensor lie: one plane after the other, or side by side at every
/// position.
enum class ChannelOrder : std::uint8_t { first, last };

/// Channels-last where a network convolves: a training step of a CIFAR ResNet (widths 8 to 32, one
/// thread) takes 0.7 to 0.8 of the time that it takes with contiguous channels.
ChannelOrder usual_order(const Network& network);

}  // namespace gcg
