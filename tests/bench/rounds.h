#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

namespace gcg::bench {

/// Something that is timed once in every round.
struct Contender {
  std::string name;
  std::function<void()> work;
};

/// One round: every contender once (short work twice, the second time counts), in an order drawn
/// anew from `round`, so that a drift of the machine meets all of them alike. Ratios are formed
/// within a round and their median is taken over the rounds: each is a pair of neighbours, not of
/// two medians. Puts the milliseconds of each into the state's counters, by name; the benchmark's
/// own (manual) time is that of the whole round.
void run_round(benchmark::State& state, const std::vector<Contender>& contenders,
               std::uint64_t round);

/// The main function of a benchmark of rounds: facts of the machine, the build and the libraries go
/// to the context block of the output, a line per round to the terminal; `libraries` are added to
/// the facts. analysis/bench.py makes tables of the file named by --benchmark_out.
int bench_main(int argc, char** argv,
               const std::vector<std::pair<std::string, std::string>>& libraries);

}  // namespace gcg::bench
