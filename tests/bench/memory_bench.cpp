// Bytes of weights, gradients, indices and momentum that the sparse executor holds, as the heap
// counts them, against those of a dense training; and bytes of the tensors of a batch, in single
// precision and in bf16: part of `make bench`.
#include <fmt/format.h>

#include <array>
#include <string>
#include <vector>

#include "base/heap.h"
#include "graph/networks.h"
#include "growth/seed.h"
#include "sparse/plan.h"
#include "sparse/sparse_executor.h"

namespace {

using gcg::Network;

constexpr std::int64_t kBatch = 128;

/// After write() and before the first batch an executor holds these alone. Peak: while writing.
std::int64_t peak_of_sparse(const Network& network, const gcg::TrainingState& state) {
  gcg::testing::reset_heap_peak();
  const std::int64_t before = gcg::testing::heap_bytes();
  const auto executor = gcg::make_sparse_executor(network, 1);
  executor->write(state);
  return gcg::testing::heap_peak() - before;
}

}  // namespace

int main() {
  std::string rows;
  std::string batches;
  for (const char* name : {"resnet20", "vgg16", "resnet18_small"}) {
    const Network network = gcg::build_network(name, {{3, 32, 32}, 10, 0});
    const gcg::Parameters initial = gcg::initial_parameters(network, 1);
    const auto batch = [&](gcg::Precision precision) {
      return gcg::sparse::batch_bytes(gcg::sparse::make_plan(network, precision), kBatch);
    };
    batches += fmt::format(
        "{}\n {{\"network\": \"{}\", \"batch\": {}, \"fp32_bytes\": {}, \"bf16_bytes\": {}}}",
        batches.empty() ? "" : ",", name, kBatch, batch(gcg::Precision::fp32),
        batch(gcg::Precision::bf16));
    for (const double density : {0.05, 0.1, 0.2}) {
      const gcg::Seed seed =
          gcg::make_seed(network, initial, "erk", density, gcg::DisconnectedPolicy::warn, 1);
      // A dense training holds a weight, a gradient and a momentum of every parameter.
      const std::int64_t dense = 3 * 4 * gcg::parameter_count(network);
      rows += fmt::format(
          "{}\n {{\"network\": \"{}\", \"density\": {}, \"sparse_bytes\": {}, \"dense_bytes\": "
          "{}}}",
          rows.empty() ? "" : ",", name, density,
          peak_of_sparse(network, gcg::initial_state(network, seed.mask, 1)), dense);
    }
  }
  fmt::print("{{\"networks\": [{}\n], \"batches\": [{}\n]}}\n", rows, batches);
  return 0;
}
