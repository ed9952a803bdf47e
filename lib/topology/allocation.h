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

/// Integers with the given sum that are nearest to `wanted` (largest remainder; ties go to the
/// lower index), none above its capacity: what exceeds one goes to the others in proportion to
/// `wanted`. `wanted` are shares: only their proportions count, and 0 gets nothing. Errors: a sum
/// that the capacities with positive shares cannot hold, negative or non-finite shares, capacities
/// that add up to more than 2^40.
std::vector<std::int64_t> largest_remainder(std::span<const double> wanted, std::int64_t sum,
                                            std::span<const std::int64_t> capacity);

/// The real numbers that largest_remainder() rounds: in proportion to the shares, none above its
/// capacity, with the given sum. Errors: the same.
std::vector<double> capped_shares(std::span<const double> wanted, std::int64_t sum,
                                  std::span<const std::int64_t> capacity);

/// Connections per layer by a rule: the real numbers and the integers they are rounded to.
struct Allocation {
  std::vector<double> wanted;
  std::vector<std::int64_t> counts;  ///< their sum is exactly what was asked for
};

/// One row of the table of allocations: shares out `present` connections over the layers.
struct AllocationRule {
  std::string_view name;
  std::string_view about;
  std::string_view reference;
  Allocation (*allocate)(const Network& network, std::int64_t present);
};

/// uniform, uniform_dense_first, er, erk. To add one: write its function, add its row.
std::span<const AllocationRule> allocation_table();

/// The allocation by the rule with this name. Errors: an unknown name; more connections than the
/// network has, or fewer than the rule can place (uniform_dense_first: than the first layer has).
Allocation allocate(std::string_view rule, const Network& network, std::int64_t present);

/// Reads densities per layer from a text file with one line "LAYER DENSITY" per layer, in any
/// order; '#' begins a comment. Errors name file, line and layer: an
/// unknown layer, a layer that is missing or listed twice, a word that is not a number, a density
/// outside of [0, 1].
std::vector<double> read_densities(const std::filesystem::path& file, const Network& network);

/// The densities of such a file as shares: only their proportions count, the total is `present`.
/// Errors: as read_densities, or a total that cannot be reached.
Allocation read_allocation(const std::filesystem::path& file, const Network& network,
                           std::int64_t present);

/// A sentence for the user if the densities of such a file do not add up to `present` connections
/// (to one connection per layer) and so are scaled; empty otherwise.
std::string scaling_of_table(const std::filesystem::path& file, const Network& network,
                             std::int64_t present);

}  // namespace gcg
