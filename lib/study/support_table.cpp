#include "study/support_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>
#include <vector>

#include "backend/backends.h"
#include "backend/precision.h"
#include "graph/networks.h"

namespace gcg {

namespace {

/// What all networks of the table are made of, in the order in which they bring it.
std::vector<Operation> operations_of_networks() {
  std::vector<Operation> all;
  for (const NetworkEntry& network : network_table()) {
    const std::span<const Operation> own = network_operations(network.name);
    std::vector<Operation> operations(own.begin(), own.end());
    if (network.stochastic_depth) {
      operations.push_back(Operation::drop_path);
    }
    for (const Operation operation : operations) {
      if (operation != Operation::input && std::ranges::find(all, operation) == all.end()) {
        all.push_back(operation);
      }
    }
  }
  return all;
}

using Able = std::function<bool(const Backend&, const BackendDevice&)>;

std::string row(std::string_view name, const Able& able) {
  std::string text = fmt::format("| {} |", name);
  for (const Backend& backend : backend_table()) {
    for (const BackendDevice& device : backend.devices) {
      text += able(backend, device) ? " yes |" : " |";
    }
  }
  return text + "\n";
}

}  // namespace

std::string support_table() {
  std::string names = "| |";
  std::string rule = "|---|";
  for (const Backend& backend : backend_table()) {
    for (const BackendDevice& device : backend.devices) {
      names += fmt::format(" `--execution {} --device {}` |", backend.name, device.name);
      rule += "---|";
    }
  }
  std::string text = names + "\n" + rule + "\n";
  for (const Operation operation : operations_of_networks()) {
    text += row(operation_name(operation), [&](const Backend& backend, const BackendDevice&) {
      return backend.has_operation(operation);
    });
  }
  for (const Optimiser& optimiser : optimiser_table()) {
    text += row(fmt::format("optimiser {}", optimiser.name),
                [&](const Backend& backend, const BackendDevice&) {
                  return backend.has_optimiser(optimiser.name);
                });
  }
  for (const std::string_view precision : kPrecisionNames) {
    text += row(fmt::format("precision {}", precision),
                [&](const Backend&, const BackendDevice& device) {
                  return std::ranges::find(device.precisions, precision) != device.precisions.end();
                });
  }
  return text;
}

}  // namespace gcg
