#include "backend/backends.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "backend/precision.h"
#include "base/error.h"
#include "base/lookup.h"

namespace gcg {

namespace {

constexpr std::array<std::string_view, 1> kSingle{"fp32"};
constexpr std::array<std::string_view, 2> kSingleAndHalf{"fp32", "bf16"};
constexpr std::array kCpuInSingleAndHalf{BackendDevice{"cpu", kSingleAndHalf}};
constexpr std::array kCpuInSingle{BackendDevice{"cpu", kSingle}};
constexpr std::array kAnyDevice{BackendDevice{"cpu", kSingleAndHalf},
                                BackendDevice{"cuda", kPrecisionNames}};

/// All have all of them; their executors do not compile without.
bool has_all(Operation /*operation*/) { return true; }

/// Those with an update of whole tensors (lib/device/optimisers.cpp).
constexpr std::array<std::string_view, 3> kDeviceOptimisers{"sgd", "adamw", "lars"};

constexpr std::array<Backend, 3> kBackends{{
    {"sparse",
     "present connections only; the same bits for any number of threads",
     kCpuInSingleAndHalf,
     has_all,
     {},
     false,
     true,
     2},
    {"dense",
     "masks on dense weights in LibTorch: the reference",
     kCpuInSingle,
     has_all,
     {},
     true,
     true,
     3},
    {"device", "masks on dense weights in LibTorch, everything on one device: what runs on a GPU",
     kAnyDevice, has_all, kDeviceOptimisers, true, true, 3},
}};

/// "take --execution dense", of the backends for which a condition holds; empty if there are none.
template <typename F>
std::string take_one(F condition) {
  std::vector<std::string_view> names;
  for (const Backend& backend : kBackends) {
    if (condition(backend)) {
      names.push_back(backend.name);
    }
  }
  return names.empty() ? "" : fmt::format("take --execution {}", fmt::join(names, " or "));
}

template <typename Names>
bool contains(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

bool Backend::has_optimiser(std::string_view optimiser) const {
  return optimisers.empty() ? contains(row_names(optimiser_table()), optimiser)
                            : contains(optimisers, optimiser);
}

std::string Backend::devices_text() const {
  std::string text;
  for (const BackendDevice& device : devices) {
    text += fmt::format("{}{} in {}", text.empty() ? "" : "; ", device.name,
                        fmt::join(device.precisions, ", "));
  }
  return text;
}

std::span<const Backend> backend_table() { return kBackends; }

const Backend& find_backend(std::string_view name) {
  return find_row(kBackends, name, "--execution");
}

std::string missing(const Backend& backend, const BackendRequest& request) {
  std::vector<std::string_view> lacks;
  for (const Operation operation : request.operations) {
    const std::string_view name = operation_name(operation);
    if (!backend.has_operation(operation) && !contains(lacks, name)) {
      lacks.push_back(name);
    }
  }
  if (!backend.has_optimiser(request.optimiser)) {
    lacks.push_back(request.optimiser);
  }
  std::vector<std::string> reasons;
  const auto device = std::ranges::find(backend.devices, request.device, &BackendDevice::name);
  if (device == backend.devices.end()) {
    reasons.push_back(fmt::format("does not run on {}", request.device));
  } else if (!contains(device->precisions, request.precision)) {
    reasons.push_back(fmt::format("does not compute in {} on {}", request.precision, device->name));
  }
  if (!lacks.empty()) {
    reasons.push_back(fmt::format("has no {}", fmt::join(lacks, ", ")));
  }
  if (request.processes > 1 && !backend.several_processes) {
    reasons.emplace_back("runs in one process only");
  }
  return fmt::format("{}", fmt::join(reasons, ", "));
}

const Backend* first_able(const BackendRequest& request) {
  const auto found = std::ranges::find_if(
      kBackends, [&](const Backend& backend) { return missing(backend, request).empty(); });
  return found == kBackends.end() ? nullptr : &*found;
}

std::vector<std::string> device_names() {
  std::vector<std::string> names;
  for (const Backend& backend : kBackends) {
    for (const BackendDevice& device : backend.devices) {
      if (!contains(names, device.name)) {
        names.emplace_back(device.name);
      }
    }
  }
  return names;
}

void check_operations(const Backend& backend, const Network& network) {
  for (const Node& node : network.nodes) {
    if (!backend.has_operation(node.operation)) {
      throw Error(
          fmt::format("{}: {}", network.name, node.name),
          fmt::format("{} execution has no {}", backend.name, operation_name(node.operation)),
          take_one([&](const Backend& other) { return other.has_operation(node.operation); }));
    }
  }
}

void check_optimiser(const Backend& backend, const OptimiserStep& step) {
  // Most steps are of a backend that has them all; nothing is allocated for these.
  if (!backend.optimisers.empty() && !contains(backend.optimisers, step.optimiser->name)) {
    throw Error(
        step.optimiser->name, fmt::format("{} execution does not have it", backend.name),
        take_one([&](const Backend& other) { return other.has_optimiser(step.optimiser->name); }));
  }
}

}  // namespace gcg
