// What a growth stage costs beside a training step: `make bench`.
#include <benchmark/benchmark.h>

#include <numeric>
#include <vector>

#include "dense/torch_executor.h"
#include "graph/networks.h"
#include "growth/grow.h"
#include "growth/seed.h"
#include "paths/statistics.h"
#include "score/path_score.h"

namespace gcg {
namespace {

struct Case {
  Network network = build_network("resnet20", {{3, 32, 32}, 10, 16});
  Parameters initial = initial_parameters(network, 1);
  Mask mask;

  explicit Case(double density)
      : mask(make_seed(network, initial, "erk", density, DisconnectedPolicy::warn, 1).mask) {}
};

double density_of(const benchmark::State& state) {
  return static_cast<double>(state.range(0)) / 100;
}

void path_score(benchmark::State& state) {
  const Case c(density_of(state));
  for (auto _ : state) {
    benchmark::DoNotOptimize(path_scores(c.network, c.initial, c.mask));
  }
}
BENCHMARK(path_score)->Arg(5)->Arg(10)->Arg(50)->Unit(benchmark::kMillisecond);

void growth_stage(benchmark::State& state) {
  const Case c(density_of(state));
  const std::int64_t count = c.mask.present() / 4;
  for (auto _ : state) {
    const Scores scores = path_scores(c.network, c.initial, c.mask);
    benchmark::DoNotOptimize(
        select_global(c.network, c.mask, scores, count, {}, RandomStream(1, "bench")));
  }
}
BENCHMARK(growth_stage)->Arg(5)->Arg(10)->Arg(50)->Unit(benchmark::kMillisecond);

void all_statistics(benchmark::State& state) {
  const Case c(density_of(state));
  for (auto _ : state) {
    benchmark::DoNotOptimize(mask_statistics(c.network, c.initial, c.mask, nullptr, c.mask, {}));
  }
}
BENCHMARK(all_statistics)->Arg(5)->Arg(10)->Arg(50)->Unit(benchmark::kMillisecond);

/// LibTorch runs all connections whatever the mask says: the step costs the same at every density.
void training_step(benchmark::State& state) {
  const Case c(density_of(state));
  const auto executor = make_torch_executor(c.network, 1);
  executor->write(initial_state(c.network, c.mask, 1));
  constexpr std::int64_t size = 128;
  std::vector<float> images(static_cast<std::size_t>(size * c.network.input_shape().elements()));
  RandomStream stream(1, "bench-images");
  for (float& value : images) {
    value = static_cast<float>(stream.normal());
  }
  std::vector<std::int32_t> labels(size);
  for (std::int64_t i = 0; i < size; ++i) {
    labels[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i % 10);
  }
  for (auto _ : state) {
    executor->forward_backward({images, labels});
    executor->step(make_step("sgd", 0.1, {}));
  }
}
BENCHMARK(training_step)->Arg(10)->Arg(100)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gcg

BENCHMARK_MAIN();
