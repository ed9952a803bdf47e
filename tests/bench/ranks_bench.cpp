// A training step of one process with two threads against two processes of one thread, with all
// that the ranks exchange in it, in rounds: gcg_ranks_bench --benchmark_repetitions=10.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "backend/random_cases.h"
#include "backend/ranks.h"
#include "base/error.h"
#include "bench/rounds.h"
#include "dense/torch_executor.h"
#include "graph/networks.h"
#include "sparse/sparse_executor.h"
#include "train/agree.h"
#include "world/world.h"

namespace gcg::bench {
namespace {

constexpr std::int64_t kSamples = 128;
constexpr int kSteps = 5;  ///< timed together
constexpr double kPatience = 300;

struct Setting {
  std::string_view name;
  bool sparse;
  double density;
};

constexpr std::array<Setting, 4> kSettings{{{"resnet20/dense", false, 1},
                                            {"resnet20/sparse:0.05", true, 0.05},
                                            {"resnet20/sparse:0.1", true, 0.1},
                                            {"resnet20/sparse:0.2", true, 0.2}}};

Network network() { return build_network("resnet20", {{3, 32, 32}, 10, 0}); }

std::unique_ptr<Executor> executor_of(const Setting& setting, std::int64_t threads) {
  auto executor = setting.sparse ? make_sparse_executor(network(), threads)
                                 : make_torch_executor(network(), threads);
  executor->write(random_state(network(), setting.density, 1));
  return executor;
}

void train(Executor& executor, const Batch& batch, Ranks* ranks) {
  // A rate so small that the weights, and with them the work, stay what they are.
  static const OptimiserStep step = sgd_step(1e-4, 0.9, true, 1e-4);
  for (int i = 0; i < kSteps; ++i) {
    (void)agreed(ranks, {});  // as the trainer before every step
    executor.forward_backward(batch);
    executor.step(step);
  }
}

/// The executor of a rank, and its share of the batch.
class RankWork {
 public:
  explicit RankWork(Ranks& ranks) : ranks_(ranks), whole_(random_batch(network(), kSamples, 2)) {}

  void take(const Setting& setting) {
    executor_ = executor_of(setting, 1);
    executor_->join(ranks_, true);
  }
  void steps() {
    const Share own = share_of(kSamples, ranks_.rank(), ranks_.size());
    const auto values = std::ssize(whole_.images) / kSamples;
    Batch share;
    share.images = std::span(whole_.images)
                       .subspan(static_cast<std::size_t>(own.begin * values),
                                static_cast<std::size_t>(own.size() * values));
    share.labels =
        std::span(whole_.labels)
            .subspan(static_cast<std::size_t>(own.begin), static_cast<std::size_t>(own.size()));
    share.of = kSamples;
    train(*executor_, share, &ranks_);
  }

 private:
  Ranks& ranks_;
  OwnedBatch whole_;
  std::unique_ptr<Executor> executor_;
};

/// What rank 0 tells the other one to do: a setting to take, steps of it, or to end.
constexpr std::int64_t kDoSteps = -1;
constexpr std::int64_t kEnd = -2;

std::int64_t told(Ranks& ranks, std::int64_t order) {
  std::array<std::int64_t, 2> all{};
  gather<std::int64_t>(ranks, {&order, 1}, all);
  return all[0];
}

RankPlace place_of(std::int64_t rank, std::uint16_t port) {
  return {rank, 2, rank, "127.0.0.1", port, true};
}

void follow(std::uint16_t port) {
  const std::unique_ptr<World> world = join_world(place_of(1, port), kPatience);
  RankWork work(*world);
  for (;;) {
    const std::int64_t order = told(*world, 0);
    if (order == kEnd) {
      world->leave(World::kFinished);
      return;
    }
    if (order == kDoSteps) {
      work.steps();
    } else {
      work.take(kSettings.at(static_cast<std::size_t>(order)));
    }
  }
}

int lead(int argc, char** argv, const MeetingPlace& meeting) {
  const std::unique_ptr<World> world = join_world(place_of(0, meeting.port()), kPatience);
  RankWork work(*world);
  const OwnedBatch batch = random_batch(network(), kSamples, 2);
  std::unique_ptr<Executor> alone;
  const Setting* present = nullptr;
  std::uint64_t round = 0;
  for (std::size_t i = 0; i < kSettings.size(); ++i) {
    const Setting& setting = kSettings[i];
    benchmark::RegisterBenchmark(
        fmt::format("ranks/{}", setting.name).c_str(),
        [&, i](benchmark::State& state) {
          if (present != &setting) {
            present = &setting;
            alone = executor_of(setting, 2);
            told(*world, static_cast<std::int64_t>(i));
            work.take(setting);
          }
          for (auto _ : state) {
            run_round(state,
                      {{"1 process, 2 threads", [&] { train(*alone, batch, nullptr); }},
                       {"2 processes, 1 thread",
                        [&] {
                          told(*world, kDoSteps);
                          work.steps();
                        }}},
                      round++);
          }
        })
        ->Iterations(1)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
  const int status = bench_main(argc, argv, {{"LibTorch", torch_version()}});
  told(*world, kEnd);
  world->leave(World::kFinished);
  return status;
}

/// The other rank is forked before this process has threads.
int run(int argc, char** argv) {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) {
    throw Error("gcg_ranks_bench", "cannot open a pipe");
  }
  const pid_t other = ::fork();
  std::uint16_t port = 0;
  if (other == 0) {
    ::close(pipe[1]);
    if (::read(pipe[0], &port, sizeof port) != sizeof port) {
      ::_exit(1);
    }
    follow(port);
    ::_exit(0);
  }
  const std::unique_ptr<MeetingPlace> meeting = host_meeting_place();
  port = meeting->port();
  if (other < 0 || ::write(pipe[1], &port, sizeof port) != sizeof port) {
    throw Error("gcg_ranks_bench", "cannot start its other rank");
  }
  const int status = lead(argc, argv, *meeting);
  ::waitpid(other, nullptr, 0);
  return status;
}

}  // namespace
}  // namespace gcg::bench

int main(int argc, char** argv) {
  try {
    return gcg::bench::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "gcg_ranks_bench: {}\n", error.what());
    return 1;
  }
}
