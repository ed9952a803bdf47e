// Images a second of training on one device: the executor of lib/device fed as the trainer feeds it
// (images held on the device, or sent there batch by batch as bytes; augmentation, sums told
// later), and a plain LibTorch loop of the same network, batch and precision that has its one batch
// on the device already. In turn, three times each, the plain loop by LibTorch's fastest operations
// whatever ours may take.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <cmath>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "backend/random_cases.h"
#include "base/error.h"
#include "base/progress.h"
#include "base/random.h"
#include "bench/plain_torch.h"
#include "data/loader.h"
#include "device/device_executor.h"
#include "graph/networks.h"

namespace gcg::bench {
namespace {

/// Images a second to be reached; 0: no aim.
struct Aims {
  double eager = 0;
  double graphs = 0;  ///< by CUDA graphs
  double newer = 0;   ///< instead of `eager` on an H100 or newer
};

struct Setting {
  std::string_view network;
  std::int64_t edge;  ///< of the images, in pixels
  std::int64_t classes;
  std::int64_t batch;
  Precision precision;
  int steps;  ///< of one timing
  Aims aims;
  bool deterministic = true;
  bool held = true;  ///< the images, on the device
};

constexpr Aims kResnet20{30000, 80000};
constexpr Aims kResnet18{18000};
constexpr std::array<Setting, 9> kSettings{{
    {"resnet20", 32, 10, 128, Precision::fp32, 100, kResnet20},
    {"resnet20", 32, 10, 128, Precision::bf16, 100, kResnet20},
    {"resnet20", 32, 10, 128, Precision::bf16, 100, {}, true, false},
    {"resnet18_small", 32, 10, 128, Precision::tf32, 50, kResnet18},
    {"resnet18_small", 32, 10, 128, Precision::bf16, 50, kResnet18},
    {"resnet18_small", 32, 10, 128, Precision::bf16, 50, kResnet18, false},
    {"resnet50", 224, 1000, 128, Precision::tf32, 10, {}},
    {"resnet50", 224, 1000, 128, Precision::bf16, 10, {2000, 0, 5000}},
    {"resnet50", 224, 1000, 128, Precision::bf16, 10, {}, true, false},
}};

/// For machines without a GPU: that it works, not how fast.
constexpr std::array<Setting, 3> kTiny{{
    {"resnet8", 32, 10, 16, Precision::fp32, 2, {1}},
    {"resnet8", 32, 10, 16, Precision::bf16, 2, {1e9}, false},
    {"resnet8", 32, 10, 16, Precision::fp32, 2, {}, true, false},
}};

/// "30000 missed, by graphs 80000 met": `rates` are those without graphs and with them, 0: none.
std::string verdict(const Aims& aims, const std::array<double, 2>& rates, const std::string& gpu) {
  const bool newer = gpu.find("H100") != gpu.npos || gpu.find("H200") != gpu.npos ||
                     gpu.find("GH200") != gpu.npos || gpu.find("B200") != gpu.npos;
  const double any = aims.newer > 0 && newer ? aims.newer : aims.eager;
  std::string text;
  if (any > 0) {
    text += fmt::format("{:.0f} {}", any, rates[0] >= any ? "met" : "missed");
  }
  if (aims.graphs > 0 && rates[1] > 0) {
    text += fmt::format(", by graphs {:.0f} {}", aims.graphs,
                        rates[1] >= aims.graphs ? "met" : "missed");
  }
  return text.empty() ? "-" : text;
}

ImageSet random_images(const Setting& setting) {
  ImageSet images;
  images.shape = {3, setting.edge, setting.edge};
  const std::int64_t count = 4 * setting.batch;
  RandomStream stream(1, "bench", 0);
  images.pixels.resize(static_cast<std::size_t>(count * images.shape.elements()));
  for (std::uint8_t& pixel : images.pixels) {
    pixel = static_cast<std::uint8_t>(stream.below(256));
  }
  for (std::int64_t i = 0; i < count; ++i) {
    images.labels.push_back(static_cast<std::int32_t>(i % setting.classes));
  }
  return images;
}

/// Epochs over the images until there were so many steps, as the trainer makes them.
void train(Executor& executor, const SampleMaker& samples, const Setting& setting,
           Delivery delivery) {
  // A rate so small that the weights, and with them the work, stay what they are.
  const OptimiserStep step = sgd_step(1e-4, 0.9, true, 1e-4);
  std::vector<std::int64_t> order(static_cast<std::size_t>(samples.images().size()));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const auto check = [](std::span<const BatchSums> told) {
    for (const BatchSums& sums : told) {
      if (!std::isfinite(sums.loss)) {
        throw Error("device_rates", "the loss is not finite: what is timed is no training");
      }
    }
  };
  Loader loader(1);
  int left = setting.steps;
  for (std::uint64_t epoch = 0; left > 0; ++epoch) {
    loader.begin(samples, {order, setting.batch, {4, true}, epoch, 0, delivery});
    for (std::int64_t b = 0; b < loader.batches() && left > 0; ++b, --left) {
      check(executor.queue(loader.next()));
      executor.step(step);
    }
  }
  check(executor.settle());
}

std::string rates(const Setting& setting, const std::string& device, const std::string& gpu) {
  const Network network =
      build_network(setting.network, {{3, setting.edge, setting.edge}, setting.classes, 0});
  const ImageSet images = random_images(setting);
  const SampleMaker samples(images, {{0.47F, 0.47F, 0.47F}, {0.23F, 0.23F, 0.23F}}, 1);
  DeviceSettings settings{device, setting.precision, setting.deterministic};
  std::vector<std::unique_ptr<Executor>> executors;
  Delivery delivery = Delivery::values;
  for (const bool graphs : {false, true}) {
    if (!graphs || device != "cpu") {
      settings.graphs = graphs;
      executors.push_back(make_device_executor(network, 1, settings));
      executors.back()->write(initial_state(network, Mask(network, true), 1));
      delivery = setting.held && executors.back()->hold(samples.raw()) ? Delivery::places
                                                                       : Delivery::bytes;
      if (setting.held && delivery != Delivery::places) {
        throw Error(std::string(setting.network), "there is no room for its images on the device",
                    "end what else takes the device's memory");
      }
    }
  }
  const OwnedBatch batch = random_batch(network, setting.batch, 1);
  const auto plain =
      plain_torch_steps(network, batch, 1, ChannelOrder::last, setting.precision, device);
  // The setting is the whole process's; on the CPU nobody changes it.
  const auto deterministic = [&](bool on) {
    if (device != "cpu") {
      set_deterministic(on);
    }
  };
  std::vector<std::function<void()>> contenders{[&] {
    deterministic(false);
    plain(setting.steps);
  }};
  for (const std::unique_ptr<Executor>& executor : executors) {
    contenders.emplace_back([&] {
      deterministic(setting.deterministic);
      train(*executor, samples, setting, delivery);
    });
  }
  std::vector<double> least(contenders.size(), std::numeric_limits<double>::infinity());
  for (int i = 0; i < 4; ++i) {
    for (std::size_t c = 0; c < contenders.size(); ++c) {
      const double start = now_seconds();
      contenders[c]();
      if (i > 0) {  // memory is taken and kernels are chosen in the first round
        least[c] = std::min(least[c], now_seconds() - start);
      }
    }
  }
  const auto rate = [&](std::size_t c) {
    return c < least.size() ? static_cast<double>(setting.steps * setting.batch) / least[c] : 0;
  };
  return fmt::format("| {} | {} | {}{}{} | {:.0f} | {} | {:.0f} | {:.2f} | {} |\n", setting.network,
                     setting.batch, kPrecisionNames[static_cast<std::size_t>(setting.precision)],
                     setting.deterministic ? "" : ", deterministic off",
                     setting.held ? "" : ", images sent", rate(1),
                     rate(2) > 0 ? fmt::format("{:.0f}", rate(2)) : "-", rate(0),
                     least[0] / *std::min_element(least.begin() + 1, least.end()),
                     verdict(setting.aims, {rate(1), rate(2)}, gpu));
}

int run(int argc, char** argv) {
  namespace po = boost::program_options;
  std::string device = "cuda";
  bool tiny = false;
  po::options_description options("gcg_device_rates");
  options.add_options()("device", po::value(&device)->default_value(device), "cpu or cuda")(
      "tiny", po::bool_switch(&tiny), "seconds instead of minutes: that it works, not how fast");
  po::variables_map given;
  po::store(po::parse_command_line(argc, argv, options), given);
  po::notify(given);
  open_device({device});
  const std::string gpu = device_name(device);
  std::cout << (device == "cpu" ? "The CPU" : gpu) << ", images a second\n\n"
            << "| network | batch | precision | here | by CUDA graphs | plain LibTorch | times as "
               "fast as plain | aim |\n"
            << "|---|---|---|---|---|---|---|---|\n";
  const auto all = tiny ? std::span<const Setting>(kTiny) : std::span<const Setting>(kSettings);
  for (const Setting& setting : all) {
    std::cout << rates(setting, device, gpu) << std::flush;
  }
  return 0;
}

}  // namespace
}  // namespace gcg::bench

int main(int argc, char** argv) {
  try {
    return gcg::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
