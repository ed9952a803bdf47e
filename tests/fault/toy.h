#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/random.h"
#include "data/dataset.h"
#include "train/trainer.h"

namespace gcg::test {

/// A network and images so small that a whole run of the method gcg, as gcg_run makes it, takes
/// milliseconds.
inline Network toy_network() {
  NetworkBuilder net("toy", {1, 8, 8});
  std::int32_t x = net.convolution("conv", 0, 4, {3, 3, 1, 1});
  x = net.relu("relu", net.batch_norm("norm", x));
  x = net.global_average_pool("pool", x);
  net.linear("classifier", x, 3);
  return net.finish();
}

inline ImageSet toy_images(std::int64_t count, std::uint64_t seed) {
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

inline DataSet toy_data() {
  DataSet data;
  data.name = "toy";
  data.classes = 3;
  data.train = toy_images(30, 1);
  data.test = toy_images(9, 2);
  data.digest = data_digest(data.train, data.test);
  return data;
}

inline Recipe toy_recipe(std::int64_t epochs) {
  Recipe recipe;
  recipe.epochs = epochs;
  recipe.batch_size = 16;
  recipe.augment = false;
  return recipe;
}

/// Sets the options of a toy run: stages of one epoch from a random seed of density 0.3.
inline void set_toy_options(OptionList& options, const std::map<std::string, std::string>& more) {
  for (const auto& [name, value] : std::map<std::string, std::string>{{"stop", "never"},
                                                                      {"stage-epochs", "1"},
                                                                      {"seed-rule", "random"},
                                                                      {"seed-density", "0.3"},
                                                                      {"disconnected", "warn"}}) {
    options.set(name, value);
  }
  for (const auto& [name, value] : more) {
    options.set(name, value);
  }
}

/// The run in a folder; what it refers to must outlive it.
inline TrainingRun toy_run(const Network& network, const DataSet& data, const Recipe& recipe,
                           const Method& method, Executor& executor,
                           const std::filesystem::path& folder) {
  TrainingRun run{network, data, recipe, method, executor};
  run.folder = folder;
  run.loader_threads = 0;
  run.record.identity.name = "toy";
  run.record.identity.hash = "toy-" + std::to_string(recipe.epochs);
  return run;
}

}  // namespace gcg::test
