// What feeding a network costs: `make bench-data`. Files of ImageNet's kind are made of the images
// in GCG_TEST_DATA/imagenet10, or of shapes where that is not there.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <vector>

// After cstdio (fmt): the header of the library needs it.
#include <jpeglib.h>

#include "backend/state.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/temporary_folder.h"
#include "data/batches.h"
#include "data/image_folder.h"
#include "data/loader.h"
#include "data/prepare.h"
#include "data/prepared.h"
#include "data/procedural.h"
#include "graph/networks.h"
#include "growth/seed.h"
#include "sparse/sparse_executor.h"

namespace gcg {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBatch = 128;
const ChannelStatistics kStatistics{{0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}};

ImageSet noise_images(std::int64_t edge, std::int64_t count) {
  ImageSet images{{3, edge, edge}, {}, {}};
  RandomStream stream(1, "bench-images");
  images.pixels.resize(static_cast<std::size_t>(count * images.shape.elements()));
  for (std::uint8_t& pixel : images.pixels) {
    pixel = static_cast<std::uint8_t>(stream.next_u32());
  }
  images.labels.assign(static_cast<std::size_t>(count), 0);
  return images;
}

std::vector<std::int64_t> shuffled(std::int64_t count) { return epoch_order(count, 1, 0); }

/// Batches over all images again and again, on one thread.
void run_batches(benchmark::State& state, const ImageSet& images, const Augmentation& augmentation,
                 std::int64_t size) {
  BatchMaker maker(images, kStatistics, 1);
  const std::vector<std::int64_t> order = shuffled(images.size());
  std::size_t begin = 0;
  for (auto _ : state) {
    if (begin + static_cast<std::size_t>(size) > order.size()) {
      begin = 0;
    }
    benchmark::DoNotOptimize(maker.augmented(
        std::span(order).subspan(begin, static_cast<std::size_t>(size)), augmentation, 0));
    begin += static_cast<std::size_t>(size);
  }
  state.SetItemsProcessed(state.iterations() * size);
}

void cifar_batch(benchmark::State& state) {
  run_batches(state, noise_images(32, 50'000), {4, true}, kBatch);
}
BENCHMARK(cifar_batch)->Unit(benchmark::kMillisecond);

/// Crop and flip out of a memory-mapped prepared file.
void tinyimagenet_prepared_batch(benchmark::State& state) {
  const testing::TemporaryFolder folder;
  const ImageSet images = noise_images(64, 20'000);
  PreparedSplit split;
  split.name = "bench";
  split.split = "train";
  split.shape = images.shape;
  split.classes = {"a"};
  split.labels = images.labels;
  split.source = "bench";
  const std::span<const std::byte> pixels = std::as_bytes(std::span(images.pixels));
  split.image = [&](std::int64_t i) {
    const auto bytes = pixels.subspan(static_cast<std::size_t>(i * images.shape.elements()),
                                      static_cast<std::size_t>(images.shape.elements()));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  };
  write_prepared(folder.path(), split, {});
  ImageSet mapped{images.shape, {}, images.labels};
  mapped.prepared = std::make_shared<const PreparedFile>(prepared_path(folder.path(), "train"));
  run_batches(state, mapped, {4, true}, kBatch);
}
BENCHMARK(tinyimagenet_prepared_batch)->Unit(benchmark::kMillisecond);

/// 128 files of 500x375 pixels: enlarged real images, or shapes.
class LargeFiles {
 public:
  LargeFiles() {
    const char* data = std::getenv("GCG_TEST_DATA");
    const fs::path real = fs::path(data == nullptr ? "" : data) / "imagenet10";
    std::vector<RgbImage> sources;
    if (fs::is_directory(real)) {
      const ImageLists lists = list_image_folder(real);
      for (std::size_t i = 0; i < lists.train.files.size() && sources.size() < kBatch; i += 7) {
        const fs::path& file = lists.train.files[i];
        sources.push_back(decode_image(read_file(file), file.string()));
      }
    } else {
      const DataSet shapes = make_procedural({kBatch, 10, 0.5, 1});
      for (std::int64_t i = 0; i < kBatch; ++i) {
        RgbImage image{32, 32, std::vector<std::uint8_t>(3 * 1024)};
        for (std::size_t p = 0; p < 1024; ++p) {
          for (std::size_t c = 0; c < 3; ++c) {
            image.pixels[3 * p + c] =
                shapes.train.pixels[(static_cast<std::size_t>(i) * 3 + c) * 1024 + p];
          }
        }
        sources.push_back(std::move(image));
      }
    }
    images.shape = {3, 224, 224};
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const RgbImage& source = sources[i];
      const Region whole{0, 0, static_cast<double>(source.width),
                         static_cast<double>(source.height)};
      files.push_back(encode_jpeg(resampled(source, whole, 500, 375), 90));
      const fs::path path = folder_ / fmt::format("{}.jpg", i);
      write_file_atomically(path, files.back());
      images.files.push_back(path);
      images.labels.push_back(0);
    }
  }

  std::vector<std::vector<std::byte>> files;
  ImageSet images;

 private:
  testing::TemporaryFolder folder_;
};

const LargeFiles& large_files() {
  static const LargeFiles files;
  return files;
}

/// The yardstick: libjpeg-turbo as every program uses it, whole images to RGB.
void jpeg_full_decode(benchmark::State& state) {
  const auto& files = large_files().files;
  std::vector<JSAMPLE> pixels;
  std::size_t i = 0;
  for (auto _ : state) {
    const std::vector<std::byte>& file = files[i++ % files.size()];
    jpeg_decompress_struct info{};
    jpeg_error_mgr errors{};
    info.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(file.data()), file.size());
    jpeg_read_header(&info, TRUE);
    info.out_color_space = JCS_RGB;
    jpeg_start_decompress(&info);
    pixels.resize(std::size_t{3} * info.output_width * info.output_height);
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = pixels.data() + std::size_t{3} * info.output_width * info.output_scanline;
      jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    benchmark::DoNotOptimize(pixels.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(jpeg_full_decode)->Unit(benchmark::kMicrosecond);

/// File to normalised sample: random-resized crop to 224, or (second line) to the edge given.
void jpeg_resized_crop(benchmark::State& state) {
  ImageSet images = large_files().images;
  images.shape = {3, state.range(0), state.range(0)};
  run_batches(state, images, {0, true, kUsualCropShare}, 32);
}
BENCHMARK(jpeg_resized_crop)->Arg(224)->Arg(112)->Arg(64)->Unit(benchmark::kMillisecond);

void jpeg_centre_crop(benchmark::State& state) { run_batches(state, large_files().images, {}, 32); }
BENCHMARK(jpeg_centre_crop)->Unit(benchmark::kMillisecond);

/// A ResNet-20 step of the sparse executor at density 0.05 with one loader thread beside it: the
/// share of the time that the training waits for data.
void resnet20_step_with_loader(benchmark::State& state) {
  const Network network = build_network("resnet20", {{3, 32, 32}, 10, 16});
  const Parameters initial = initial_parameters(network, 1);
  const Mask mask = make_seed(network, initial, "erk", 0.05, DisconnectedPolicy::warn, 1).mask;
  const auto executor = make_sparse_executor(network, static_cast<int>(state.range(0)));
  executor->write(initial_state(network, mask, 1));
  const ImageSet images = noise_images(32, 50'000);
  const SampleMaker samples(images, kStatistics, 1);
  double waited = 0;
  double seconds = 0;
  for (auto _ : state) {
    Loader loader(samples, {shuffled(2560), kBatch, {4, true}}, 1);
    const double start = now_seconds();
    for (std::int64_t b = 0; b < loader.batches(); ++b) {
      executor->forward_backward(loader.next());
      executor->step(make_step("sgd", 0.1, {}));
    }
    seconds += now_seconds() - start;
    waited += loader.waited_seconds();
  }
  state.counters["waiting_percent"] = 100 * waited / seconds;
  state.counters["step_ms"] = 1000 * seconds / static_cast<double>(state.iterations() * 20);
}
BENCHMARK(resnet20_step_with_loader)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace gcg

BENCHMARK_MAIN();
