#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <span>
#include <string_view>
#include <vector>

#include "backend/executor.h"
#include "graph/network.h"

namespace gcg {

/// Makes the executor under test.
using ExecutorFactory = std::function<std::unique_ptr<Executor>(const Network&)>;

/// One thing every executor must do, checked on networks (small_networks() and more) against the
/// reference executor or against itself. Failures are those of GoogleTest.
struct ConformanceCase {
  std::string_view name;
  void (*check)(const ExecutorFactory& make, const std::vector<Network>& networks);
};
inline void PrintTo(const ConformanceCase& conformance, std::ostream* output) {
  *output << conformance.name;
}

/// The contract of backend/executor.h as a list of cases: for every executor one TEST_P that runs
/// them.
std::span<const ConformanceCase> conformance_cases();

/// What the executor of a row with several processes must do: for each a TEST_P likewise.
std::span<const ConformanceCase> rank_cases();
/// Those that do not hold shares against a whole batch in single precision.
std::span<const ConformanceCase> rank_cases_of_any_precision();

/// Those that do not hold the executor against the reference in single precision.
std::vector<ConformanceCase> conformance_cases_of_any_precision();

}  // namespace gcg
