#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/network.h"
#include "topology/mask.h"

namespace gcg {

/// Integers with the given sum that are nearest to `wanted` (largest remainder; ties to the lower
/// index), none above its capacity: what does not fit one layer goes to the others in proportion to
/// what they want. `wanted` are shares: only their proportions count, and 0 gets nothing. Errors: a
/// sum that the capacities (of the positive shares) cannot hold, negative or non-finite shares,
/// capacities of more than 2^40 together.
std::vector<std::int64_t> largest_remainder(std::span<const double> wanted, std::int64_t sum,
                                            std::span<const std::int64_t> capacity);

/// The real numbers that largest_remainder() rounds: in proportion to the shares, none above its
/// capacity, with the given sum. The same errors.
std::vector<double> capped_shares(std::span<const double> wanted, std::int64_t sum,
                                  std::span<const std::int64_t> capacity);

/// Connections per layer under a rule: the real number and the integer nearest to it.
struct Allocation {
  std::vector<double> wanted;
  std::vector<std::int64_t> counts;  ///< their sum is what was asked for, exactly
};

/// One row of the table of allocations: from a network and the present connections in all.
struct AllocationRule {
  std::string_view name;
  std::string_view about;
  std::string_view reference;
  Allocation (*allocate)(const Network& network, std::int64_t present);
};

/// uniform, uniform_dense_first, er, erk. To add one: write its function, add its row.
std::span<const AllocationRule> allocation_table();

/// The row's allocation. Errors: an unknown name; connections that do not fit the network, or that
/// the rule cannot place (uniform_dense_first: fewer than the first layer has), with the numbers.
Allocation allocate(std::string_view rule, const Network& network, std::int64_t present);

/// Present connections per layer for a total of `present`: the same density everywhere.
std::vector<std::int64_t> uniform_allocation(const Network& network, std::int64_t present);

/// Erdos-Renyi-kernel allocation (Evci et al. 2020): density of layer l proportional to
/// (n_in + n_out + k_h + k_w) / (n_in n_out k_h k_w), without the kernel terms for linear layers;
/// layers that would exceed 1 become dense and the rest is solved again.
std::vector<std::int64_t> erk_allocation(const Network& network, std::int64_t present);

/// Reads densities per layer from a text file: one line "LAYER DENSITY" for every layer, in any
/// order, or a line of allocation_text(); '#' begins a comment. Errors name file, line and layer:
/// an unknown layer, one that is missing or there twice, a word that is no number, a density
/// outside of [0, 1].
std::vector<double> read_densities(const std::filesystem::path& file, const Network& network);

/// The densities of such a file as shares: their proportions count, the total is `present`. Errors:
/// as read_densities, or a total that cannot be reached.
Allocation read_allocation(const std::filesystem::path& file, const Network& network,
                           std::int64_t present);

/// A sentence if the densities of such a file together are not those of `present` connections (to
/// one connection a layer), so that they have to be scaled; else nothing.
std::string scaling_of_table(const std::filesystem::path& file, const Network& network,
                             std::int64_t present);

/// A table for people and for read_allocation(): per layer name, density, wanted (real number),
/// counts (integer), realised (present in the mask) and size.
std::string allocation_text(const Network& network, const Allocation& allocation, const Mask& mask);

}  // namespace gcg
