// The kernels of single layers over densities, as shares of the multiply-adds the processor can do:
// `make bench`.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench/peak.h"
#include "bench/rounds.h"
#include "sparse/kernels.h"
#include "sparse/operations.h"
#include "sparse/parallel.h"

namespace gcg::bench {
namespace {

using sparse::Blocks;
using sparse::kLanes;
using sparse::SparseLayer;
using sparse::View;

struct Shapes {
  std::string_view name;
  Shape input;
  std::int64_t outputs;
  Window window;
  std::int64_t batch;
};

const std::array<Shapes, 11> kShapes{{
    {"16 to 16, 3x3, 32x32", {16, 32, 32}, 16, {3, 3, 1, 1}, 128},
    {"16 to 32, 3x3, stride 2, 32x32", {16, 32, 32}, 32, {3, 3, 2, 1}, 128},
    {"16 to 32, 1x1, stride 2, 32x32", {16, 32, 32}, 32, {1, 1, 2, 0}, 128},
    {"32 to 32, 3x3, 16x16", {32, 16, 16}, 32, {3, 3, 1, 1}, 128},
    {"64 to 64, 3x3, 8x8", {64, 8, 8}, 64, {3, 3, 1, 1}, 128},
    {"64 to 64, 3x3, 32x32", {64, 32, 32}, 64, {3, 3, 1, 1}, 32},
    {"128 to 128, 3x3, 16x16", {128, 16, 16}, 128, {3, 3, 1, 1}, 32},
    {"256 to 256, 3x3, 8x8", {256, 8, 8}, 256, {3, 3, 1, 1}, 32},
    {"512 to 512, 3x3, 4x4", {512, 4, 4}, 512, {3, 3, 1, 1}, 32},
    {"512 to 512, 3x3, 2x2", {512, 2, 2}, 512, {3, 3, 1, 1}, 128},
    {"linear, 512 to 512", {512, 1, 1}, 512, {1, 1, 1, 0}, 128},
}};

constexpr std::array<double, 7> kDensities{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1};

/// Multiply-adds of one turn of the loop that measures the peak: some milliseconds.
constexpr std::int64_t kPeakWork = 400'000'000;

std::int64_t extent(std::int64_t size, std::int64_t taps, const Window& window) {
  return (size + 2 * window.padding - taps) / window.stride + 1;
}

sparse::LayerPlace place_of(const Shapes& s) {
  sparse::LayerPlace place;
  const Shape output{s.outputs, extent(s.input.height, s.window.height, s.window),
                     extent(s.input.width, s.window.width, s.window)};
  place.layer = {std::string(s.name), 1, s.outputs, s.input.channels, s.window.height,
                 s.window.width};
  place.window = s.window;
  place.input = {s.input, sparse::input_halo(s.window)};
  place.output = {output, sparse::gradient_halo(s.window, s.input, output)};
  return place;
}

/// A tensor of a batch, normal random but for its halo, which stays zero.
struct Values {
  sparse::Layout layout;
  sparse::Tensor tensor;

  Values(const sparse::Layout& where, std::int64_t samples, RandomStream& stream)
      : layout(where),
        tensor(static_cast<std::size_t>(sparse::block_count(samples) * where.block())) {
    for (std::int64_t b = 0; b < sparse::block_count(samples); ++b) {
      for (std::int64_t c = 0; c < layout.shape.channels; ++c) {
        for (std::int64_t y = 0; y < layout.shape.height; ++y) {
          float* const row = view().at(b, c, y);
          for (std::int64_t i = 0; i < layout.shape.width * kLanes; ++i) {
            row[i] = static_cast<float>(stream.normal());
          }
        }
      }
    }
  }
  [[nodiscard]] View view() { return {layout, tensor.data()->lanes.data()}; }
};

SparseLayer layer_of(const sparse::LayerPlace& place, double density, RandomStream& stream) {
  SparseLayer layer;
  layer.place = place;
  LayerMask mask(place.layer.connections());
  std::vector<float> values(static_cast<std::size_t>(mask.size()), 0.0F);
  for (std::int64_t i = 0; i < mask.size(); ++i) {
    if (density >= 1 || stream.uniform() < density) {
      mask.set(i);
      values[static_cast<std::size_t>(i)] = static_cast<float>(stream.normal());
    }
  }
  layer.write(mask, values);
  return layer;
}

/// What a thread needs to add up a weight gradient.
struct ThreadSums {
  sparse::Tensor lanes;
  std::vector<float> sums;
};

/// One layer shape at every density.
class LayerCase {
 public:
  LayerCase(const Shapes& shapes, std::int64_t threads, const sparse::Kernels& kernels)
      : run_(kernels, threads, shapes.batch),
        place_(place_of(shapes)),
        stream_(1, "bench-layer"),
        input_(place_.input, shapes.batch, stream_),
        output_(place_.output, shapes.batch, stream_),
        gradient_(place_.output, shapes.batch, stream_),
        input_gradient_(place_.input, shapes.batch, stream_) {
    contenders_.push_back({"peak", [threads] { (void)multiply_add(threads, kPeakWork); }});
    counters_["peak multiply-adds"] = static_cast<double>(multiply_add(threads, kPeakWork));
    for (const double density : kDensities) {
      layers_.push_back(std::make_unique<SparseLayer>(layer_of(place_, density, stream_)));
      add(*layers_.back(), fmt::format("{:.2f}", density));
    }
  }

  [[nodiscard]] const std::vector<Contender>& contenders() const { return contenders_; }
  [[nodiscard]] const std::map<std::string, double>& counters() const { return counters_; }

 private:
  // A kernel as the executor calls it: forward and input gradient cut by the batch, weight
  // gradients into sums of each thread's own.
  void add(const SparseLayer& layer, const std::string& density) {
    counters_["multiply-adds " + density] =
        static_cast<double>(layer.mask.count() * place_.output.shape.positions() * run_.samples);
    contenders_.push_back({"forward " + density, [this, &layer] {
                             in_blocks([&](std::int64_t, Blocks part) {
                               convolve(run_, part, all_rows(place_.output), layer, input_.view(),
                                        output_.view());
                             });
                           }});
    std::vector<float> by_input(layer.by_input_count());
    layer.order_by_input(by_input);
    contenders_.push_back({"input gradient " + density, [this, &layer, by_input] {
                             in_blocks([&](std::int64_t, Blocks part) {
                               convolve_input_gradient(run_, part, all_rows(place_.input), layer,
                                                       by_input, gradient_.view(), false,
                                                       input_gradient_.view());
                             });
                           }});
    const sparse::Weights which = layer.runs_all ? sparse::Weights::all : sparse::Weights::present;
    sums_.resize(static_cast<std::size_t>(run_.threads));
    for (ThreadSums& sums : sums_) {
      sums.lanes.resize(static_cast<std::size_t>(sparse::lane_count(layer.place.layer)));
      sums.sums.resize(
          std::max(sums.sums.size(), static_cast<std::size_t>(weight_count(layer, which))));
    }
    contenders_.push_back({"weight gradient " + density, [this, &layer, which] {
                             in_blocks([&](std::int64_t thread, Blocks part) {
                               ThreadSums& sums = sums_[static_cast<std::size_t>(thread)];
                               convolve_weight_gradient(run_, part, all_rows(place_.output), layer,
                                                        which, {0, layer.place.layer.outputs},
                                                        input_.view(), gradient_.view(), sums.lanes,
                                                        sums.sums);
                             });
                           }});
  }

  /// Block by block, or, for vectors, all the blocks of a thread at once.
  template <typename F>
  void in_blocks(F f) {
    sparse::in_parts(run_.threads, run_.blocks,
                     [&](std::int64_t thread, std::int64_t begin, std::int64_t end) {
                       const bool vectors = place_.output.shape.positions() == 1;
                       for (std::int64_t b = begin; b < end; b = vectors ? end : b + 1) {
                         f(thread, Blocks{b, vectors ? end : b + 1});
                       }
                     });
  }

  sparse::Run run_;
  sparse::LayerPlace place_;
  RandomStream stream_;
  Values input_, output_, gradient_, input_gradient_;
  std::vector<std::unique_ptr<SparseLayer>> layers_;
  std::vector<ThreadSums> sums_;
  std::vector<Contender> contenders_;
  std::map<std::string, double> counters_;
};

/// The case of the benchmark that runs.
struct Present {
  std::string name;
  std::unique_ptr<LayerCase> layer;
  std::uint64_t round = 0;
};

int run(int argc, char** argv) {
  const std::vector<const sparse::Kernels*> all = sparse::vector_kernels();
  const sparse::Kernels& kernels = all.empty() ? sparse::reference_kernels() : *all.front();
  Present present;
  for (const std::int64_t threads : {1, 2}) {
    for (const Shapes& shapes : kShapes) {
      const std::string name =
          fmt::format("layer/{}, batch {}/threads:{}", shapes.name, shapes.batch, threads);
      benchmark::RegisterBenchmark(
          name.c_str(),
          [&, threads, name](benchmark::State& state) {
            if (present.name != name) {
              present = {name, nullptr, 0};
              present.layer = std::make_unique<LayerCase>(shapes, threads, kernels);
            }
            for (auto _ : state) {
              run_round(state, present.layer->contenders(), present.round++);
            }
            for (const auto& [counter, value] : present.layer->counters()) {
              state.counters[counter] = value;
            }
          })
          ->Iterations(1)
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
  return bench_main(argc, argv, {{"kernels", kernels.name}});
}

}  // namespace
}  // namespace gcg::bench

int main(int argc, char** argv) {
  try {
    return gcg::bench::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "gcg_layer_bench: {}\n", error.what());
    return 1;
  }
}
