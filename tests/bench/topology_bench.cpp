// Mask measures and a growth stage of large networks, one core, no executor.
#include <benchmark/benchmark.h>

#include <string>

#include "base/host.h"
#include "graph/networks.h"
#include "growth/grow.h"
#include "growth/seed.h"
#include "paths/statistics.h"
#include "paths/tau_core.h"
#include "score/path_score.h"
#include "topology/reachability.h"

namespace gcg {
namespace {

/// ERK masks of a network at a density in per cent.
struct Case {
  Network network;
  TrainingState state;

  Case(const char* name, Shape input, std::int64_t classes, std::int64_t percent)
      : network(build_network(name, {input, classes})) {
    const Parameters initial = initial_parameters(network, 1);
    state = initial_state(network,
                          make_seed(network, initial, "erk", static_cast<double>(percent) / 100,
                                    DisconnectedPolicy::warn, 1)
                              .mask,
                          1);
  }
};

Case large(std::int64_t percent) { return {"resnet50", {3, 224, 224}, 1000, percent}; }
Case small(std::int64_t percent) { return {"resnet20", {3, 32, 32}, 10, percent}; }

/// Path score, sampling and application of a quarter more connections.
template <Case (*make)(std::int64_t)>
void growth_stage(benchmark::State& state) {
  const Case c = make(state.range(0));
  const Parameters initial = initial_parameters(c.network, 1);
  const std::int64_t count = c.state.mask.present() / 4;
  TrainingState grown = c.state;
  const std::int64_t before = peak_memory_bytes();
  for (auto _ : state) {
    grown.mask = c.state.mask;
    const Scores scores = path_scores(c.network, c.state.values, c.state.mask);
    const Mask added =
        select_global(c.network, c.state.mask, scores, count, {}, RandomStream(1, "bench"));
    add_connections(c.network, grown, added, NewWeight::zero, initial, RandomStream(1, "bench"));
  }
  state.counters["extra_over_weights"] = static_cast<double>(peak_memory_bytes() - before) /
                                         (4 * static_cast<double>(c.network.connections()));
}

template <Case (*make)(std::int64_t)>
void path_score(benchmark::State& state) {
  const Case c = make(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(path_scores(c.network, c.state.values, c.state.mask));
  }
}

/// All measures of a mask but tau-core: reachability, cuts, degrees, norms, overlap.
template <Case (*make)(std::int64_t)>
void measures(benchmark::State& state) {
  const Case c = make(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        mask_measures(c.network, c.state.values, c.state.mask, &c.state.mask, c.state.mask));
  }
}

template <Case (*make)(std::int64_t)>
void tau_core_search(benchmark::State& state) {
  const Case c = make(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(tau_core(c.network, c.state.values, c.state.mask, 0.9));
  }
}

BENCHMARK(growth_stage<large>)
    ->Arg(5)
    ->Arg(20)
    ->Arg(80)
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1);
BENCHMARK(path_score<large>)->Arg(20)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK(measures<large>)->Arg(5)->Arg(20)->Arg(80)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK(tau_core_search<large>)
    ->Arg(5)
    ->Arg(20)
    ->Arg(80)
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1);
BENCHMARK(growth_stage<small>)->Arg(5)->Arg(20)->Arg(80)->Unit(benchmark::kMillisecond);
BENCHMARK(measures<small>)->Arg(20)->Unit(benchmark::kMillisecond);
BENCHMARK(tau_core_search<small>)->Arg(20)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gcg

BENCHMARK_MAIN();
