// A whole training step (forward, loss, backward, optimiser), sparse against LibTorch at its better
// channel order and against this project's own dense executor; and what growth costs beside it:
// `make bench`.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <vector>

#include "backend/random_cases.h"
#include "base/error.h"
#include "base/host.h"
#include "base/progress.h"
#include "bench/blas_kernels.h"
#include "bench/plain_torch.h"
#include "bench/rounds.h"
#include "dense/torch_executor.h"
#include "device/device_executor.h"
#include "graph/networks.h"
#include "growth/grow.h"
#include "growth/seed.h"
#include "score/path_score.h"
#include "sparse/kernels.h"
#include "sparse/layer.h"
#include "sparse/sparse_executor.h"
#include "sparse/tiles.h"

namespace gcg::bench {
namespace {

/// One network with everything it is measured by.
struct Setting {
  std::string_view network;
  std::int64_t batch;
  std::vector<double> densities;
  NetworkRequest request{{3, 32, 32}, 10, 0};
};

const std::array<Setting, 5> kSettings{{
    {"resnet20", 128, {0.02, 0.05, 0.1, 0.2, 0.5, 1}},
    {"vgg16", 128, {0.05, 0.1}},
    {"resnet18_small", 64, {0.05, 0.1}},
    {"vit6_small", 128, {0.05, 0.1, 0.2, 0.5}},
    {"deit_tiny", 32, {0.05, 0.1, 0.2, 0.5}, {{3, 224, 224}, 1000, 0}},
}};

/// Density at which growth and dense gradients are timed.
constexpr double kGrowthDensity = 0.1;

/// The network that the executor of devices is timed on, too.
constexpr std::string_view kOnDevice = "resnet20";

/// A rate so small that the weights, and with them the work, stay what they are.
const OptimiserStep kStep = sgd_step(1e-4, 0.9, true, 1e-4);

void training_step(Executor& executor, const Batch& batch) {
  const BatchSums sums = executor.forward_backward(batch);
  if (!std::isfinite(sums.loss)) {
    throw Error(executor.network().name, "the loss is not finite: what is timed is no training");
  }
  executor.step(kStep);
}

double milliseconds_of_step(Executor& executor, const Batch& batch) {
  const double start = now_seconds();
  training_step(executor, batch);
  return 1000 * (now_seconds() - start);
}

/// A network with a batch and a fresh state of every density, masks by ERK.
struct Start {
  std::string_view name;
  Network network;
  Parameters initial;
  OwnedBatch batch;
  std::map<double, TrainingState> states;

  explicit Start(const Setting& setting)
      : name(setting.network),
        network(build_network(setting.network, setting.request)),
        initial(initial_parameters(network, 1)),
        batch(random_batch(network, setting.batch, 1)) {
    for (const double density : setting.densities) {
      const Seed seed = make_seed(network, initial, "erk", density, DisconnectedPolicy::warn, 1);
      states[density] = initial_state(network, seed.mask, 1);
    }
  }
};

/// The executors of one network at one number of threads, ready for any number of rounds.
class StepCase {
 public:
  StepCase(const Start& start, std::int64_t threads)
      : start_(start), network_(start.network), batch_(start.batch) {
    choose_dense_order(threads);
    choose_plain(threads);
    contenders_.push_back({"dense", [this] { training_step(*dense_, batch_); }});
    if (start.name == kOnDevice) {
      for (const Precision precision : {Precision::fp32, Precision::bf16}) {
        add_device(threads, precision);
      }
    }
    for (const auto& [density, state] : start.states) {
      Executor& executor = add_sparse(density, threads);
      add(fmt::format("sparse {:.2f}", density),
          [this, &executor] { training_step(executor, batch_); });
      Executor& half = add_sparse(density, threads, Precision::bf16);
      add(fmt::format("sparse bf16 {:.2f}", density),
          [this, &half] { training_step(half, batch_); });
      if (sparse::amx_tiles() != nullptr) {
        sparse_.push_back(make_sparse_executor(network_, threads, sparse::fastest_kernels(),
                                               Precision::bf16,
                                               {sparse::amx_tiles(), sparse::kTilesFrom}));
        sparse_.back()->write(state);
        add(fmt::format("sparse bf16 tiles {:.2f}", density),
            [this, &tiles = *sparse_.back()] { training_step(tiles, batch_); });
      }
      if (threads > 1) {
        Executor& alone = add_sparse(density, 1);
        add(fmt::format("sparse {:.2f} on 1 thread", density),
            [this, &alone] { training_step(alone, batch_); });
      }
      if (density == kGrowthDensity) {
        // Where a round is long, once is enough: growth itself has one thread.
        add_growth(executor, threads > 1 || network_.connections() < 1'000'000);
      }
    }
    // Memory is taken and caches are filled before the first round: twice, since what one takes
    // the first time may be what another one had in use.
    for (int i = 0; i < 2; ++i) {
      for (const Contender& contender : contenders_) {
        contender.work();
      }
    }
  }

  [[nodiscard]] const std::vector<Contender>& contenders() const { return contenders_; }
  [[nodiscard]] ChannelOrder order() const { return order_; }
  /// Milliseconds of the trial that chose it, by order.
  [[nodiscard]] const std::array<double, 2>& dense_trial() const { return dense_trial_; }
  /// Of LibTorch alone: in single precision at its better order, and in bf16.
  [[nodiscard]] const std::array<double, 2>& plain_trial() const { return plain_trial_; }

 private:
  void add(std::string name, std::function<void()> work) {
    contenders_.push_back({std::move(name), std::move(work)});
  }

  /// LibTorch at its best: whichever order of channels takes less time here, by the fastest of
  /// three steps each, taken in turn.
  void choose_dense_order(std::int64_t threads) {
    std::array<std::unique_ptr<Executor>, 2> executors;
    for (const ChannelOrder order : {ChannelOrder::first, ChannelOrder::last}) {
      std::unique_ptr<Executor>& executor = executors[static_cast<std::size_t>(order)];
      executor = make_torch_executor(network_, threads, order);
      executor->write(start_.states.at(kGrowthDensity));
      training_step(*executor, batch_);
    }
    for (int i = 0; i < 3; ++i) {
      for (std::size_t k = 0; k < 2; ++k) {
        dense_trial_[k] = std::min(dense_trial_[k], milliseconds_of_step(*executors[k], batch_));
      }
    }
    order_ = dense_trial_[0] < dense_trial_[1] ? ChannelOrder::first : ChannelOrder::last;
    dense_ = std::move(executors[static_cast<std::size_t>(order_)]);
  }

  /// The same choice for LibTorch without this project, and whether its best step is in bf16 with
  /// channels last, for which some processors have instructions.
  void choose_plain(std::int64_t threads) {
    std::array<std::function<void()>, 3> steps{
        plain_torch_step(network_, batch_, threads, ChannelOrder::first, Precision::fp32),
        plain_torch_step(network_, batch_, threads, ChannelOrder::last, Precision::fp32),
        plain_torch_step(network_, batch_, threads, ChannelOrder::last, Precision::bf16)};
    std::array<double, 3> least;
    least.fill(std::numeric_limits<double>::infinity());
    for (const std::function<void()>& step : steps) {
      step();  // takes its memory
    }
    for (int i = 0; i < 3; ++i) {
      for (std::size_t k = 0; k < steps.size(); ++k) {
        const double start = now_seconds();
        steps[k]();
        least[k] = std::min(least[k], 1000 * (now_seconds() - start));
      }
    }
    const std::size_t single = least[0] < least[1] ? 0 : 1;
    add("LibTorch", steps[single]);
    if (least[2] < least[single]) {
      add("LibTorch bf16", steps[2]);
    }
    plain_trial_ = {least[single], least[2]};
  }

  /// What runs on a GPU, here on the CPU.
  void add_device(std::int64_t threads, Precision precision) {
    device_.push_back(make_device_executor(network_, threads, {"cpu", precision}));
    Executor& executor = *device_.back();
    executor.write(start_.states.at(kGrowthDensity));
    add(precision == Precision::fp32 ? "device" : "device bf16",
        [this, &executor] { training_step(executor, batch_); });
  }

  Executor& add_sparse(double density, std::int64_t threads,
                       Precision precision = Precision::fp32) {
    sparse_.push_back(make_sparse_executor(network_, threads, precision));
    sparse_.back()->write(start_.states.at(density));
    return *sparse_.back();
  }

  /// What a growth stage and the methods that look at absent connections ask of an executor.
  void add_growth(Executor& executor, bool with_long_parts) {
    const TrainingState& small = start_.states.at(kGrowthDensity);
    grow();
    if (with_long_parts) {
      add("dense gradients", [this, &executor] { (void)executor.dense_gradients(batch_); });
      add("growth: scores and selection", [this] { grow(); });
    }
    // There and back again: two changes of the mask, one fourth of the connections each.
    add("growth: two changes of the mask", [this, &executor, &small] {
      executor.write(grown_);
      executor.write(small);
    });
  }

  void grow() {
    const TrainingState& small = start_.states.at(kGrowthDensity);
    const Scores scores = path_scores(network_, small.values, small.mask);
    grown_ = small;
    add_connections(network_, grown_,
                    select_global(network_, small.mask, scores, small.mask.present() / 4, {},
                                  RandomStream(1, "bench")),
                    NewWeight::zero, start_.initial, RandomStream(1, "bench"));
  }

  const Start& start_;
  const Network& network_;
  Batch batch_;
  ChannelOrder order_ = ChannelOrder::last;
  std::array<double, 2> plain_trial_{};
  std::array<double, 2> dense_trial_{std::numeric_limits<double>::infinity(),
                                     std::numeric_limits<double>::infinity()};
  std::unique_ptr<Executor> dense_;
  std::vector<std::unique_ptr<Executor>> device_;
  std::vector<std::unique_ptr<Executor>> sparse_;
  TrainingState grown_;
  std::vector<Contender> contenders_;
};

/// The case of the benchmark that runs: its rounds follow each other, one case is in memory.
struct Present {
  std::unique_ptr<Start> start;
  std::int64_t threads = 0;
  std::unique_ptr<StepCase> step_case;
  std::uint64_t round = 0;
};

void step(benchmark::State& state, const Setting& setting, std::int64_t threads, Present& present) {
  if (!present.start || present.start->name != setting.network || present.threads != threads) {
    present.step_case.reset();
    if (!present.start || present.start->name != setting.network) {
      present.start = std::make_unique<Start>(setting);
    }
    present.threads = threads;
    present.round = 0;
    present.step_case = std::make_unique<StepCase>(*present.start, threads);
  }
  for (auto _ : state) {
    run_round(state, present.step_case->contenders(), present.round++);
  }
  const StepCase& one = *present.step_case;
  state.SetLabel(fmt::format(
      "batch {}, dense with channels {} (trial: {:.0f} ms first, {:.0f} ms last), "
      "LibTorch in {} (trial: {:.0f} ms fp32, {:.0f} ms bf16)",
      setting.batch, one.order() == ChannelOrder::last ? "last" : "first", one.dense_trial()[0],
      one.dense_trial()[1], one.plain_trial()[1] < one.plain_trial()[0] ? "bf16" : "fp32",
      one.plain_trial()[0], one.plain_trial()[1]));
}

int run(int argc, char** argv) {
  Present present;
  for (const Setting& setting : kSettings) {
    for (const std::int64_t threads : {1, 2}) {
      benchmark::RegisterBenchmark(
          fmt::format("step/{}/threads:{}", setting.network, threads).c_str(),
          [&setting, threads, &present](benchmark::State& state) {
            step(state, setting, threads, present);
          })
          ->Iterations(1)
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
  const std::vector<const sparse::Kernels*> kernels = sparse::vector_kernels();
  if (const std::string warning = blas_facts().warning; !warning.empty()) {
    fmt::print(stderr, "warning: {}\n", warning);
  }
  return bench_main(argc, argv,
                    {{"LibTorch", torch_version()},
                     {"BLAS", blas_facts().version},
                     {"kernels", kernels.empty() ? "reference" : kernels.front()->name},
                     {"tiles", amx_facts().usable ? "AMX" : "none: " + amx_facts().reason}});
}

}  // namespace
}  // namespace gcg::bench

int main(int argc, char** argv) {
  try {
    gcg::bench::take_fastest_blas(argc, argv);
    return gcg::bench::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "gcg_step_bench: {}\n", error.what());
    return 1;
  }
}
