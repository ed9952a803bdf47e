#include "run/measure.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <functional>
#include <numeric>

#include "base/error.h"
#include "base/lookup.h"
#include "base/progress.h"
#include "base/random.h"
#include "data/batches.h"
#include "data/task.h"
#include "paths/statistics.h"
#include "record/checkpoint.h"
#include "record/run_file.h"
#include "run/execute.h"
#include "score/path_score.h"
#include "study/estimate.h"
#include "train/trainer.h"

namespace gcg {

namespace {

namespace fs = std::filesystem;

/// Multiply-adds of the largest step that is timed: a large network is timed on fewer images.
constexpr double kStepWork = 1e10;
/// Seconds of repetitions of one kind of work, and their largest number.
constexpr double kSeconds = 0.15;
constexpr int kRepetitions = 20;

/// Seconds of processor time of this process so far.
double process_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

using Clock = double (*)();

/// The shortest of several repetitions after a first one, which counts only if it is long.
double shortest(Clock clock, const std::function<void()>& work) {
  const double begin = clock();
  work();
  double best = clock() - begin;
  if (best > kSeconds) {
    return best;
  }
  const double end = begin + kSeconds;
  for (int r = 0; r < kRepetitions && (r < 2 || clock() < end); ++r) {
    const double start = clock();
    work();
    best = std::min(best, clock() - start);
  }
  return best;
}

/// Noise in the shape of a published data set, enough for one batch.
DataSet noise(const DataSourceEntry& published, std::int64_t classes, std::int64_t images) {
  DataSet data;
  data.name = published.name;
  data.classes = classes;
  RandomStream stream(1, "noise-images");
  for (ImageSet* set : {&data.train, &data.test}) {
    set->shape = published.shape;
    set->pixels.resize(static_cast<std::size_t>(images * published.shape.elements()));
    for (std::uint8_t& pixel : set->pixels) {
      pixel = static_cast<std::uint8_t>(stream.next_u64());
    }
    for (std::int64_t i = 0; i < images; ++i) {
      set->labels.push_back(static_cast<std::int32_t>(i % classes));
    }
  }
  return data;
}

/// The plan's images, or noise where it names no folder of them.
Task images_for(const RunPlan& plan, bool& read) {
  const Recipe& recipe = plan.settings.recipe;
  try {
    read = true;
    return make_task(plan.data->load(), recipe.task, recipe.validation_fraction,
                     plan.settings.seed);
  } catch (const UsageError&) {
    read = false;
    const DataSourceEntry& published = find_row(data_source_table(), plan.settings.data, "--data");
    const std::int64_t classes = recipe.task.classes > 0 ? recipe.task.classes : published.classes;
    return {noise(published, classes, recipe.batch_size), {}};
  }
}

Mask random_mask(const Network& network, double density) {
  Mask mask(network, true);
  for (std::size_t l = 0; l < mask.layers.size(); ++l) {
    const auto size = mask.layers[l].size();
    const auto present = std::llround(density * static_cast<double>(size));
    RandomStream stream(1, "random-mask", l);
    mask.layers[l] = random_layer(size, std::clamp<std::int64_t>(present, 1, size), stream);
  }
  return mask;
}

/// A folder that disappears with the object.
struct Scratch {
  fs::path path = fs::temp_directory_path() / ("gcg-measure-" + std::to_string(::getpid()));
  Scratch() { fs::create_directories(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

/// Images of the task, or about as many of the published set.
void count_images(WorkTimes& work, const RunPlan& plan, const Task& task) {
  if (!work.data_read) {
    count_published(work, plan);
    return;
  }
  work.input = task.data.train.shape;
  work.classes = task.data.classes;
  work.train_images = std::ssize(task.split.train);
  work.validation_images = std::ssize(task.split.validation);
  work.test_images = task.data.test.size();
}

}  // namespace

WorkTimes measure_work(const RunPlan& plan) {
  WorkTimes work;
  const Task task = images_for(plan, work.data_read);
  const DataSet& data = task.data;
  count_images(work, plan, task);
  const Network network = planned_network(plan, data.train.shape, data.classes);
  const std::unique_ptr<Executor> executor = run_executor(plan, network);
  BatchMaker batches(data.train, normalisation(data), 1);
  work.start = process_seconds();  // libraries and data, until here

  const double one = 1.5 * forward_flops(network, layer_sizes(network));  // multiply-adds of a step
  const auto most = 16 * std::max<std::int64_t>(1, std::llround(kStepWork / one / 16));
  const std::int64_t size = std::min({plan.settings.recipe.batch_size, data.train.size(), most});
  std::vector<std::int64_t> positions(static_cast<std::size_t>(size));
  std::iota(positions.begin(), positions.end(), std::int64_t{0});
  const Augmentation augmentation = recipe_augmentation(plan.settings.recipe, data);
  // Processor time, which other work on the machine disturbs least, unless several threads or a GPU
  // share it.
  const Clock clock =
      plan.settings.threads == 1 && plan.settings.device == "cpu" ? process_seconds : now_seconds;
  const auto per_image = [&](const std::function<void()>& once) {
    return shortest(clock, once) / static_cast<double>(size);
  };
  work.densities = {0.05, 0.3, 1};
  TrainingState state;
  for (const double density : work.densities) {
    state = initial_state(network, random_mask(network, density), 1);
    executor->write(state);
    work.train.push_back(per_image([&] {
      executor->forward_backward(batches.augmented(positions, augmentation, 0));
      recipe_step(plan.settings.recipe, 1e-6, *executor);
    }));
    work.evaluate.push_back(per_image([&] { executor->evaluate(batches.plain(positions), {}); }));
  }
  state = initial_state(network, random_mask(network, 0.3), 1);
  executor->write(state);
  const Batch batch = batches.plain(positions);
  work.gradients = per_image([&] { executor->dense_gradients(batch); });
  StageMask mask;
  mask.mask = state.mask;
  const double begin = clock();
  mask.statistics =
      mask_statistics(network, state.values, state.mask, nullptr, state.mask, {0.9, 1, 0});
  work.statistics = clock() - begin;
  work.score = shortest(clock, [&] { (void)path_scores(network, state.values, state.mask); });

  const Scratch folder;
  Checkpoint checkpoint;
  checkpoint.record.identity = plan.identity;
  checkpoint.record.network = network;
  checkpoint.record.masks.push_back(std::move(mask));
  checkpoint.state = std::move(state);
  work.record = shortest(now_seconds, [&] {
    write_checkpoint(folder.path, checkpoint);
    write_run_file(folder.path / kRunFileName, checkpoint.record);
  });
  return work;
}

}  // namespace gcg
