// A whole run as gcg_run makes it, on a network and images so small that faults can be put into
// hundreds of them: gcg_toy_run FOLDER [EPOCHS]. Saves after every batch, in sparse execution.
// Prints the digest of all that the run file holds of the result.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/folder_lock.h"
#include "base/hash.h"
#include "base/program.h"
#include "base/random.h"
#include "base/temporary_files.h"
#include "data/dataset.h"
#include "method/methods.h"
#include "record/run_file.h"
#include "sparse/sparse_executor.h"
#include "train/trainer.h"

namespace gcg {
namespace {

Network toy_network() {
  NetworkBuilder net("toy", {1, 8, 8});
  std::int32_t x = net.convolution("conv", 0, 4, {3, 3, 1, 1});
  x = net.relu("relu", net.batch_norm("norm", x));
  x = net.global_average_pool("pool", x);
  net.linear("classifier", x, 3);
  return net.finish();
}

ImageSet toy_images(std::int64_t count, std::uint64_t seed) {
  ImageSet images;
  images.shape = {1, 8, 8};
  RandomStream stream(seed, "toy-images");
  for (std::int64_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::int32_t>(i % 3);
    images.labels.push_back(label);
    for (std::int64_t p = 0; p < images.shape.elements(); ++p) {
      images.pixels.push_back(static_cast<std::uint8_t>(60 * label + stream.below(100)));
    }
  }
  return images;
}

/// Of everything but time, memory and what was told.
std::string digest_of(const RunRecord& record) {
  Sha256 digest;
  const auto add = [&](const auto& value) { digest.update(fmt::format("{}\n", value)); };
  for (const TrajectoryRow& row : record.trajectory) {
    add(row.step);
    add(row.density);
    add(row.train_loss);
    add(row.validation_loss);
    add(row.learning_rate);
  }
  for (const StageRow& row : record.stages) {
    add(row.present);
    add(row.decision);
    add(row.training_flops);
  }
  for (const StageMask& mask : record.masks) {
    for (const LayerMask& layer : mask.mask.layers) {
      layer.for_each_present(add);
    }
  }
  for (const StagePredictions& stage : record.predictions.stages) {
    for (const float loss : stage.losses) {
      add(loss);
    }
  }
  for_each_array(record.result.value().state.values,
                 [&](ParameterKind, const std::vector<float>& array) {
                   digest.update(std::as_bytes(std::span(array)));
                 });
  add(record.result->test_loss);
  return hex(digest.finish());
}

int run(const std::filesystem::path& folder, std::int64_t epochs) {
  make_writable_folder(folder);
  const FolderLock lock(folder);
  remove_temporary_files(folder);
  const Network network = toy_network();
  DataSet data;
  data.name = "toy";
  data.classes = 3;
  data.train = toy_images(30, 1);
  data.test = toy_images(9, 2);
  data.digest = data_digest(data.train, data.test);
  Recipe recipe;
  recipe.epochs = epochs;
  recipe.batch_size = 16;
  recipe.augment = false;
  const std::unique_ptr<Method> method = make_method("gcg");
  OptionList options;
  method->add_options(options);
  for (const auto& [name, value] : {std::pair{"max-stages", "2"},
                                    {"stop", "never"},
                                    {"stage-epochs", "1"},
                                    {"seed-rule", "random"},
                                    {"seed-density", "0.3"},
                                    {"disconnected", "warn"}}) {
    options.set(name, value);
  }
  const std::unique_ptr<Executor> executor = make_sparse_executor(network, 1);
  TrainingRun run{network, data, recipe, *method, *executor};
  run.folder = folder;
  run.checkpoint_seconds = 0;
  run.loader_threads = 0;
  run.record.identity.name = "toy";
  run.record.identity.hash = fmt::format("toy-{}", epochs);
  run.say = [](const std::string& text) { fmt::print(stderr, "{}\n", text); };
  train(std::move(run));
  fmt::print("{}\n", digest_of(read_run_file(folder / kRunFileName)));
  return 0;
}

}  // namespace
}  // namespace gcg

int main(int argc, char** argv) {
  return gcg::run_program("gcg_toy_run", [&] {
    return gcg::run(argv[1], argc > 2 ? std::strtol(argv[2], nullptr, 10) : 1);
  });
}
