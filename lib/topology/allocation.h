#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/network.h"

namespace gcg {

/// Integers with the given sum that are nearest to `wanted` (largest remainder; ties to the lower
/// index), none above its capacity: what does not fit one layer goes to the others in proportion to
/// what they want. `wanted` are shares: only their proportions count, and 0 gets nothing. Errors: a
/// sum that the capacities (of the positive shares) cannot hold, negative or non-finite shares,
/// capacities of more than 2^40 together.
std::vector<std::int64_t> largest_remainder(std::span<const double> wanted, std::int64_t sum,
                                            std::span<const std::int64_t> capacity);

/// Present connections per layer for a total of `present`: the same density everywhere.
std::vector<std::int64_t> uniform_allocation(const Network& network, std::int64_t present);

/// Erdos-Renyi-kernel allocation (Evci et al. 2020): density of layer l proportional to
/// (n_in + n_out + k_h + k_w) / (n_in n_out k_h k_w), without the kernel terms for linear layers;
/// layers that would exceed 1 become dense and the rest is solved again.
std::vector<std::int64_t> erk_allocation(const Network& network, std::int64_t present);

}  // namespace gcg
