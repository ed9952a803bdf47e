#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/optimiser.h"
#include "graph/network.h"

namespace gcg {

/// A device that a backend runs on, with its name for --device and the precisions it computes in.
struct BackendDevice {
  std::string_view name;
  std::span<const std::string_view> precisions;
};

/// One row of the table of backends: what a way of execution can do. Its executor is made in
/// run/backends.cpp, so that this table needs none of the backends' libraries.
struct Backend {
  std::string_view name;   ///< its name for --execution
  std::string_view about;  ///< one line for --list
  std::span<const BackendDevice> devices;
  bool (*has_operation)(Operation);
  /// The optimisers it has, by name; empty: all of the table, because it calls their updates.
  std::span<const std::string_view> optimisers;
  bool threads_change_bits = false;  ///< if so, threads belong to the identity of a run
  bool several_processes = false;    ///< its executor joins the other ranks of a run
  /// Raised whenever the same options give other results; part of the identity of its runs.
  std::int64_t results_version = 0;

  [[nodiscard]] bool has_optimiser(std::string_view optimiser) const;
  /// "cpu in fp32, bf16; cuda in fp32"
  [[nodiscard]] std::string devices_text() const;
};

/// All backends. `auto` takes the first one that can do what is asked.
std::span<const Backend> backend_table();

/// The row with this name. UsageError if there is none.
const Backend& find_backend(std::string_view name);

/// What a run asks of its backend.
struct BackendRequest {
  std::string device = "cpu";
  std::string precision = "fp32";
  std::string optimiser = "sgd";
  std::vector<Operation> operations;  ///< of the network
  std::int64_t processes = 1;
};

/// What the backend lacks for this request ("has no attention, gelu"); empty if nothing.
std::string missing(const Backend& backend, const BackendRequest& request);

/// The first backend that lacks nothing; null if there is none.
const Backend* first_able(const BackendRequest& request);

/// All devices of the table, in its order.
std::vector<std::string> device_names();

/// Checks for executors: an Error names the node or the optimiser that the backend does not have,
/// and the backends that have it.
void check_operations(const Backend& backend, const Network& network);
void check_optimiser(const Backend& backend, const OptimiserStep& step);

}  // namespace gcg
