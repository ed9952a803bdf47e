#include "topology/allocation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/lookup.h"
#include "base/text.h"

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
                  fmt::format("share {} is {}: not a finite number of at least 0", i, wanted[i]));
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

Allocation in_proportion(const Network& network, const std::vector<double>& shares,
                         std::int64_t present) {
  const std::vector<std::int64_t> sizes = layer_sizes(network);
  return {capped_shares(shares, present, sizes), largest_remainder(shares, present, sizes)};
}

Allocation uniform(const Network& network, std::int64_t present) {
  const std::vector<std::int64_t> sizes = layer_sizes(network);
  return in_proportion(network, {sizes.begin(), sizes.end()}, present);
}

Allocation uniform_dense_first(const Network& network, std::int64_t present) {
  const std::vector<std::int64_t> sizes = layer_sizes(network);
  if (present < sizes.front()) {
    throw Error(fmt::format("{}: {}", network.name, network.layers.front().name),
                fmt::format("a dense first layer has {} connections, {} are asked for in all",
                            sizes.front(), present),
                "ask for a higher density or take another allocation");
  }
  std::vector<double> shares(sizes.begin(), sizes.end());
  shares.front() = 0;
  Allocation rest = in_proportion(network, shares, present - sizes.front());
  rest.wanted.front() = static_cast<double>(sizes.front());
  rest.counts.front() = sizes.front();
  return rest;
}

/// Density times size: the denominator of the formula cancels.
Allocation erdos_renyi(const Network& network, std::int64_t present, bool with_kernel) {
  std::vector<double> shares;
  for (const Layer& layer : network.layers) {
    const bool convolution =
        network.nodes[static_cast<std::size_t>(layer.node)].operation == Operation::convolution;
    const double kernel = with_kernel && convolution
                              ? static_cast<double>(layer.kernel_height + layer.kernel_width)
                              : 0;
    const double units = static_cast<double>(layer.inputs + layer.outputs) + kernel;
    shares.push_back(with_kernel ? units : units * static_cast<double>(layer.taps()));
  }
  return in_proportion(network, shares, present);
}

Allocation er(const Network& network, std::int64_t present) {
  return erdos_renyi(network, present, false);
}

Allocation erk(const Network& network, std::int64_t present) {
  return erdos_renyi(network, present, true);
}

constexpr std::string_view kEvci = "Evci et al. 2020, Rigging the lottery";

constexpr std::array<AllocationRule, 4> kAllocations{{
    {"uniform", "the same density in every layer", "", uniform},
    {"uniform_dense_first", "the first layer dense, the same density in all others", kEvci,
     uniform_dense_first},
    {"er", "Erdos-Renyi: density in proportion to (n_in + n_out) / (n_in n_out)",
     "Mocanu et al. 2018, Scalable training of artificial neural networks", er},
    {"erk", "Erdos-Renyi with kernel terms, layers above 1 dense and the rest solved again", kEvci,
     erk},
}};

}  // namespace

std::vector<double> capped_shares(std::span<const double> wanted, std::int64_t sum,
                                  std::span<const std::int64_t> capacity) {
  check_request(wanted, sum, capacity);
  std::vector<double> result(wanted.size(), 0);
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
      result[*i] = static_cast<double>(capacity[*i]);
      rest -= capacity[*i];
    }
    open.erase(filled, open.end());
  }
  for (const std::size_t i : open) {
    result[i] = rest > 0 ? wanted[i] * scale : 0;
  }
  return result;
}

std::vector<std::int64_t> largest_remainder(std::span<const double> wanted, std::int64_t sum,
                                            std::span<const std::int64_t> capacity) {
  const std::vector<double> quotas = capped_shares(wanted, sum, capacity);
  std::vector<std::int64_t> result(quotas.size());
  std::vector<std::size_t> open;
  std::int64_t rest = sum;
  for (std::size_t i = 0; i < quotas.size(); ++i) {
    result[i] = static_cast<std::int64_t>(std::floor(quotas[i]));
    rest -= result[i];
    if (wanted[i] > 0 && result[i] < capacity[i]) {
      open.push_back(i);
    }
  }
  std::stable_sort(open.begin(), open.end(), [&](std::size_t a, std::size_t b) {
    return quotas[a] - std::floor(quotas[a]) > quotas[b] - std::floor(quotas[b]);
  });
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

std::span<const AllocationRule> allocation_table() { return kAllocations; }

Allocation allocate(std::string_view rule, const Network& network, std::int64_t present) {
  const AllocationRule& row = find_row(kAllocations, rule, "--allocation");
  if (present < 1 || present > network.connections()) {
    throw Error(network.name, fmt::format("{} of {} connections asked for by allocation {}",
                                          present, network.connections(), rule));
  }
  return row.allocate(network, present);
}

std::vector<double> read_densities(const std::filesystem::path& file, const Network& network) {
  std::vector<std::optional<double>> densities(network.layers.size());
  std::int64_t number = 0;
  const std::string text = read_text(file);
  for (const std::string_view line : lines_of(text)) {
    ++number;
    const std::vector<std::string_view> words = words_of(line.substr(0, line.find('#')));
    if (words.empty()) {
      continue;
    }
    const std::string where = fmt::format("{}: line {}: {}", file.string(), number, words[0]);
    std::vector<double> numbers;
    for (std::size_t w = 1; w < words.size(); ++w) {
      const auto value = whole_number_text<double>(words[w]);
      if (!value) {
        throw Error(where, fmt::format("'{}' is not a number", words[w]),
                    "write LAYER DENSITY, with a decimal point");
      }
      numbers.push_back(*value);
    }
    if (numbers.size() != 1 || !(numbers[0] >= 0 && numbers[0] <= 1)) {
      throw Error(where, "needs a density in [0, 1] and nothing else",
                  "write LAYER DENSITY; '#' begins a comment");
    }
    const auto layer = std::ranges::find(network.layers, words[0], &Layer::name);
    if (layer == network.layers.end()) {
      throw Error(where, fmt::format("{} has no layer of this name", network.name));
    }
    std::optional<double>& slot =
        densities[static_cast<std::size_t>(layer - network.layers.begin())];
    if (slot) {
      throw Error(where, "the layer is listed twice");
    }
    slot = numbers[0];
  }
  std::vector<double> all;
  for (std::size_t l = 0; l < densities.size(); ++l) {
    if (!densities[l]) {
      throw Error(file.string(), fmt::format("layer {} is missing", network.layers[l].name));
    }
    all.push_back(*densities[l]);
  }
  return all;
}

Allocation read_allocation(const std::filesystem::path& file, const Network& network,
                           std::int64_t present) {
  std::vector<double> shares = read_densities(file, network);
  for (std::size_t l = 0; l < shares.size(); ++l) {
    shares[l] *= static_cast<double>(network.layers[l].connections());
  }
  try {
    return in_proportion(network, shares, present);
  } catch (const Error& error) {
    throw Error(file.string(), error.what());
  }
}

std::string scaling_of_table(const std::filesystem::path& file, const Network& network,
                             std::int64_t present) {
  const std::vector<double> densities = read_densities(file, network);
  double sum = 0;
  for (std::size_t l = 0; l < densities.size(); ++l) {
    sum += densities[l] * static_cast<double>(network.layers[l].connections());
  }
  // Densities that were rounded to whole connections are as they were asked for.
  if (std::abs(sum - static_cast<double>(present)) <= static_cast<double>(densities.size())) {
    return {};
  }
  const auto all = static_cast<double>(network.connections());
  return fmt::format(
      "{}: its densities are {:.4g} of the network together and were scaled to the density asked "
      "for ({:.4g})",
      file.string(), sum / all, static_cast<double>(present) / all);
}

}  // namespace gcg
