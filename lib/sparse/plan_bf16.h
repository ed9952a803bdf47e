#pragma once

#include <vector>

#include "backend/precision.h"
#include "sparse/block_rooms.h"
#include "sparse/plan.h"

namespace gcg::sparse {

/// Per node, whether what is kept of it for the batch is in bf16: decided by the shapes of planes,
/// so that all tensors around a normalisation or an addition are alike.
std::vector<bool> nodes_in_bf16(const Network& network, Precision precision);

/// Room where tensors in bf16 are expanded for the steps that read them: a block, or, for weight
/// gradients of the whole batch, all of them. Values and gradients have their places.
void place_expanded(const Network& network, BlockRooms& rooms, Plan& plan);

}  // namespace gcg::sparse
