#include "bench/rounds.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "base/host.h"
#include "base/progress.h"
#include "base/random.h"

namespace gcg::bench {

namespace {

/// Work that takes less is done twice and timed the second time: what the contender before left in
/// the caches, and threads that have to wake up, would weigh.
constexpr double kShortSeconds = 0.5;

/// What ended a benchmark early, if anything did: Google Benchmark 1.8 renamed the members.
template <typename Run>
std::string problem_of(const Run& run) {
  if constexpr (requires { run.error_occurred; }) {
    return run.error_occurred ? run.error_message : "";
  } else {
    return run.skipped ? run.skip_message : "";
  }
}

/// A line per round: the tables are made of the file.
class RoundReporter final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& /*context*/) override { return true; }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (const std::string problem = problem_of(run); !problem.empty()) {
        std::printf("%s: %s\n", run.benchmark_name().c_str(), problem.c_str());
      } else if (run.run_type == Run::RT_Iteration) {
        std::printf("%-40s round %2d of %d: %.1f s\n", run.run_name.str().c_str(),
                    static_cast<int>(run.repetition_index) + 1, static_cast<int>(run.repetitions),
                    run.GetAdjustedRealTime() / benchmark::GetTimeUnitMultiplier(run.time_unit));
      }
    }
    std::fflush(stdout);
  }
};

}  // namespace

void run_round(benchmark::State& state, const std::vector<Contender>& contenders,
               std::uint64_t round) {
  std::vector<std::size_t> order(contenders.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  RandomStream(1, "bench-order", round).shuffle(std::span(order));
  double all = 0;
  for (const std::size_t i : order) {
    const auto timed = [&] {
      const double start = now_seconds();
      contenders[i].work();
      return now_seconds() - start;
    };
    double seconds = timed();
    if (seconds < kShortSeconds) {
      seconds = timed();
    }
    state.counters[contenders[i].name] = 1000 * seconds;
    all += seconds;
  }
  state.SetIterationTime(all);
}

int bench_main(int argc, char** argv,
               const std::vector<std::pair<std::string, std::string>>& libraries) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  const HostFacts host = host_facts();
  const BuildFacts build = build_facts();
  benchmark::AddCustomContext("processor", host.processor);
  benchmark::AddCustomContext("instructions", host.instructions);
  benchmark::AddCustomContext("cores", fmt::format("{}", host.cores));
  benchmark::AddCustomContext("memory_bytes", fmt::format("{}", host.memory_bytes));
  benchmark::AddCustomContext("system", host.system);
  benchmark::AddCustomContext("commit", build.commit + (build.dirty ? " with changes" : ""));
  benchmark::AddCustomContext("compiler", build.compiler);
  benchmark::AddCustomContext("build_type", build.build_type);
  const char* waiting = std::getenv("OMP_WAIT_POLICY");
  benchmark::AddCustomContext("OMP_WAIT_POLICY", waiting == nullptr ? "default" : waiting);
  for (const auto& [name, version] : libraries) {
    benchmark::AddCustomContext(name, version);
  }
  RoundReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  return 0;
}

}  // namespace gcg::bench
