#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/optimiser.h"
#include "graph/network.h"

namespace gcg {

/// A device that a backend runs on, by what --device calls it, and in which precisions it does.
struct BackendDevice {
  std::string_view name;
  std::span<const std::string_view> precisions;
};

/// One row of the table of backends: what a way of execution can do. How it is made stands in
/// run/backends.cpp, so that the table needs no library of any of them.
struct Backend {
  std::string_view name;   ///< what --execution calls it
  std::string_view about;  ///< one line for --list
  std::span<const BackendDevice> devices;
  bool (*has_operation)(Operation);
  /// By name; empty: all of the table, for it calls their updates.
  std::span<const std::string_view> optimisers;
  bool threads_change_bits = false;  ///< then threads belong to the identity of a run
  bool several_processes = false;    ///< its executor joins the other ranks of a run
  /// Raised whenever the same options give other results: part of the identity of its runs.
  std::int64_t results_version = 0;

  [[nodiscard]] bool has_optimiser(std::string_view optimiser) const;
  /// "cpu in fp32, bf16; cuda in fp32"
  [[nodiscard]] std::string devices_text() const;
};

/// Every backend. auto takes the first one that can do what is asked.
std::span<const Backend> backend_table();

/// The row of a name; an unknown one is an Error.
const Backend& find_backend(std::string_view name);

/// What a run asks of its backend.
struct BackendRequest {
  std::string device = "cpu";
  std::string precision = "fp32";
  std::string optimiser = "sgd";
  std::vector<Operation> operations;  ///< of the network
  std::int64_t processes = 1;
};

/// What of it a backend cannot do, "has no attention, gelu"; empty if it can do all of it.
std::string missing(const Backend& backend, const BackendRequest& request);

/// The first backend without anything missing; null if there is none.
const Backend* first_able(const BackendRequest& request);

/// Every device of the table, in its order.
std::vector<std::string> device_names();

/// What executors call: an Error that names the node or the optimiser that the backend does not
/// have, and the backends that have it.
void check_operations(const Backend& backend, const Network& network);
void check_optimiser(const Backend& backend, const OptimiserStep& step);

}  // namespace gcg
