#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "data/procedural.h"
#include "graph/networks.h"
#include "method/methods.h"
#include "run/short_run.h"
#include "train/trainer.h"

namespace gcg::testing {

using MakeExecutor = std::unique_ptr<Executor> (*)(const Network&, std::int64_t);

inline DataSet small_images(std::int64_t train_images) {
  ProceduralOptions options;
  options.train_images = train_images;
  options.test_images = 50;
  options.difficulty = 0;
  return make_procedural(options);
}

/// 120 to train on, 30 for validation.
inline const DataSet& small_data() {
  static const DataSet data = small_images(150);
  return data;
}

/// Everything that a small run needs, whatever executes it. An epoch has 4 batches, the last one
/// smaller.
struct SmallRun {
  Network network = build_network("resnet8", {{3, 32, 32}, 10, 4});
  DataSet data = small_data();
  Recipe recipe;
  std::unique_ptr<Method> method;
  std::unique_ptr<Executor> executor;
  OptionList options;

  SmallRun(const std::string& name, const std::map<std::string, std::string>& given,
           MakeExecutor make_executor, std::int64_t threads = 1)
      : method(make_method(name)), executor(make_executor(network, threads)) {
    recipe.epochs = 2;
    recipe.batch_size = 32;
    method->add_options(options);
    for (const auto& [option, value] : given) {
      options.set(option, value);
    }
  }

  TrainingRun run(const std::filesystem::path& folder, std::uint64_t seed = 1) {
    TrainingRun result{network, data, recipe, *method, *executor};
    result.seed = seed;
    result.folder = folder;
    result.record.identity.name = "miniature";
    result.record.identity.hash = "hash";
    result.record.identity.seed = seed;
    return result;
  }
};

}  // namespace gcg::testing
