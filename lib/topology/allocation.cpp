#include "topology/allocation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace gcg {

namespace {

constexpr std::string_view kWhere = "allocation";

void check_request(std::span<const double> wanted, std::int64_t sum,
                   std::span<const std::int64_t> capacity) {
  if (wanted.size() != capacity.size()) {
    throw Error(kWhere, fmt::format("{} shares for {} capacities", wanted.size(), capacity.size()));
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!(wanted[i] >= 0) || std::isinf(wanted[i])) {
      throw Error(kWhere,
                  fmt::format("share {} is {}: not a finite number from 0 on", i, wanted[i]));
    }
    if (capacity[i] < 0) {
      throw Error(kWhere, fmt::format("capacity {} is {}", i, capacity[i]));
    }
  }
  // So that quotas in double precision are exact to far less than one connection.
  const double total = std::accumulate(capacity.begin(), capacity.end(), 0.0);
  if (total > 0x1.0p40) {
    throw Error(kWhere, fmt::format("capacities of {} together are more than 2^40", total));
  }
  const std::int64_t room = std::accumulate(capacity.begin(), capacity.end(), std::int64_t{0});
  if (sum < 0 || sum > room) {
    throw Error(kWhere,
                fmt::format("{} connections asked for, there is room for 0 to {}", sum, room));
  }
}

}  // namespace

std::vector<std::int64_t> largest_remainder(std::span<const double> wanted, std::int64_t sum,
                                            std::span<const std::int64_t> capacity) {
  check_request(wanted, sum, capacity);
  std::vector<std::int64_t> result(wanted.size(), 0);
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] > 0) {
      open.push_back(i);
    }
  }
  // Whoever's quota exceeds its capacity is filled; that raises the scale of the others, so that
  // nobody filled would come free again, and the rest is solved anew.
  std::int64_t rest = sum;
  double scale = 0;
  for (bool changed = true; changed && rest > 0;) {
    if (open.empty()) {
      throw Error(kWhere,
                  fmt::format("{} of {} connections fit no part with a positive share", rest, sum));
    }
    double total = 0;
    for (const std::size_t i : open) {
      total += wanted[i];
    }
    scale = static_cast<double>(rest) / total;
    if (!std::isfinite(scale) || !std::isfinite(total)) {
      throw Error(kWhere, "the shares are too large or too small to be scaled");
    }
    const auto filled = std::stable_partition(open.begin(), open.end(), [&](std::size_t i) {
      return wanted[i] * scale <= static_cast<double>(capacity[i]);
    });
    changed = filled != open.end();
    for (auto i = filled; i != open.end(); ++i) {
      result[*i] = capacity[*i];
      rest -= capacity[*i];
    }
    open.erase(filled, open.end());
  }
  std::vector<double> remainder(wanted.size(), 0);
  for (const std::size_t i : open) {
    const double quota = rest > 0 ? wanted[i] * scale : 0;
    result[i] = static_cast<std::int64_t>(std::floor(quota));
    remainder[i] = quota - std::floor(quota);
  }
  for (const std::size_t i : open) {
    rest -= result[i];
  }
  std::stable_sort(open.begin(), open.end(),
                   [&](std::size_t a, std::size_t b) { return remainder[a] > remainder[b]; });
  // One round is enough but for rounding errors of the quotas.
  while (rest > 0) {
    for (const std::size_t i : open) {
      if (rest > 0 && result[i] < capacity[i]) {
        ++result[i];
        --rest;
      }
    }
  }
  return result;
}

std::vector<std::int64_t> uniform_allocation(const Network& network, std::int64_t present) {
  const std::vector<std::int64_t> sizes = layer_sizes(network);
  return largest_remainder(std::vector<double>(sizes.begin(), sizes.end()), present, sizes);
}

std::vector<std::int64_t> erk_allocation(const Network& network, std::int64_t present) {
  // Density times size: the denominator of the formula cancels.
  std::vector<double> wanted;
  for (const Layer& layer : network.layers) {
    const bool convolution =
        network.nodes[static_cast<std::size_t>(layer.node)].operation == Operation::convolution;
    const std::int64_t kernel = convolution ? layer.kernel_height + layer.kernel_width : 0;
    wanted.push_back(static_cast<double>(layer.inputs + layer.outputs + kernel));
  }
  return largest_remainder(wanted, present, layer_sizes(network));
}

}  // namespace gcg
